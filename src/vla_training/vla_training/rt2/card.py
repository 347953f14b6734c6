# SPDX-License-Identifier: Apache-2.0
"""The model card of an RT-2 checkpoint: README.md, written from card.json and rt2.json each time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_training.run.card_text import LIMITS, RECORDED_LIMITS, measured_table, validation_table, write_files
from vla_training.run.errors import TrainingError

CARD, DATA, INFO = "README.md", "card.json", "rt2.json"
_VALIDATION = {
    "error": "mean error of a column, as a share of its range",
    "switch": "share of the columns that switch, as a gripper, that are right",
    "step_mm": "mean error of a step's component [mm]",
    "gripper": "share of gripper commands that are right",
    "terminate": "share of terminate decisions that are right",
    "swap": "share of frames that follow another instruction on the same picture, where it makes a difference",
    "answers": "share of questions and captions answered exactly",
}


def is_rt2(folder: Path) -> bool:
    """Whether the folder holds an RT-2 checkpoint."""
    return (folder / INFO).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """card.json, or an empty one. Raises TrainingError for a damaged file."""
    path = folder / DATA
    if not path.exists():
        return {"training": None, "measured": [], "answered": []}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return {
            "training": card["training"],
            "measured": list(card["measured"]),
            "answered": list(card.get("answered", [])),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error!r}; remove it to start again") from error


def write_training(folder: Path, facts: Mapping[str, Any]) -> Path:
    """How the checkpoint came to be. Figures measured on other weights are dropped."""
    card = read_card(folder)
    if (card["training"] or {}).get("steps") != facts["steps"]:
        card["measured"], card["answered"] = [], []
    return write_card(folder, card | {"training": dict(facts)})


def write_card(folder: Path, card: Mapping[str, Any]) -> Path:
    """Write card.json and the README.md that it makes."""
    info = json.loads((folder / INFO).read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_files(folder, {DATA: json.dumps(card, indent=1) + "\n", CARD: render(info, config, card)})
    return folder / CARD


def render(info: Mapping[str, Any], config: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """The card's text."""
    space, control, robot = info["action_space"], info["control"], info["robot"]
    lines = [
        f"# RT-2 ({config.get('model_type', '?')}) for {robot}",
        "",
        _subject(control),
        "",
        f"- model: `{(config.get('architectures') or ['?'])[0]}` of transformers",
        f"- action: {len(space['dimensions'])} dimensions of {space['bins']} bins, one step of "
        f"{control.get('period_s', '?')} s; action tokens by strategy `{info['vocabulary']['strategy']}`; ranges, "
        "order, prompt and vocabulary stand in rt2.json",
        f"- prompt: `{info['prompt']['action']}`",
        "- weights: safetensors",
        f'- use: `./vla up robot:={robot} policy:=rt2 checkpoint:=THIS_FOLDER`, `./vla ask "..."`',
        "",
        "## Training",
        "",
        *(_training(card["training"]) if card["training"] else ["Not written down."]),
        "",
        "## Measured success",
        "",
        *_measured(card["measured"]),
        *_answered(card["answered"]),
        "",
        "## Limits",
        "",
        RECORDED_LIMITS if "actions" in control else LIMITS,
    ]
    return "\n".join(lines) + "\n"


def _subject(control: Mapping[str, Any]) -> str:
    if "actions" in control:
        told = {"map": "stand in observation_map.yaml", "numbers": "are told by nothing: a map of your own has to"}
        return (
            "A vision-language-action policy trained on recorded actions: a picture and an instruction to one action. "
            f"What the columns of state and action are {told.get(control['actions'], '')}."
        )
    return (
        "A vision-language-action policy for the simulated table-top of vla_sim: a picture and an instruction to one "
        "arm action, a picture and a question to an answer, with the same weights."
    )


def _training(facts: Mapping[str, Any]) -> list[str]:
    lines = ["```", *facts["commands"], "```", ""]
    lines += [
        f"{facts['steps']} steps of {facts['images']} pictures with up to {facts['samples']} prompts each, seed "
        f"{facts['seed']}, begun with `{facts['base']}`. Robot data {100 * facts['robot_share']:.0f} % of the mixture:",
        "",
    ]
    lines += [f"- {each['folder']}: {each['episodes']} episodes, {each['frames']} frames" for each in facts["data"]]
    texts = [*(["questions and captions about these frames, with true answers"] if facts["scene_questions"] else [])]
    lines += ["", f"Image-text data: {', '.join([*texts, *facts['texts']]) or 'none'}."]
    if facts.get("soft_bins") or facts.get("grounding"):
        lines.append(
            f"Targets of translations are spread over bins (deviation {facts['soft_bins']:g}); attention heads and a "
            f"training-only read-out are shown where things are (weight {facts['grounding']:g}). Translations are read "
            f"back {facts.get('read_back', 0.0):g} bins (deviation) beside the truth."
        )
    lines += [line for note in facts.get("notes", ()) for line in ("", note)]
    return lines + validation_table(facts.get("validation") or {}, _VALIDATION, ", given the true tokens before")


def _measured(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["Not measured yet: `./vla eval --policy rt2 --checkpoint THIS_FOLDER --card THIS_FOLDER`."]
    return measured_table(rows)


def _answered(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        lines += ["", f"Questions about fresh scenes (`./vla eval questions`, seed {row['seed']}), exact answers:", ""]
        lines += ["| kind | right |", "|---|---|"]
        lines += [f"| {kind} | {100 * one['share']:.0f} % of {one['asked']} |" for kind, one in row["kinds"].items()]
        lines.append(f"| all | {100 * row['share']:.0f} % of {row['asked']} |")
    return lines
