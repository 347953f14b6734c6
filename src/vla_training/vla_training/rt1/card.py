# SPDX-License-Identifier: Apache-2.0
"""`vla card`: puts measured success into a checkpoint's model card.

The card is README.md in the checkpoint's folder, always written from card.json (how it was trained, what was
measured) and config.json. `vla train rt1` writes the first part, `vla eval --card` and this command the second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_policy.rt1.proprio import COLUMN

from vla_training.rt2 import card as rt2_card
from vla_training.run.arguments import Parser
from vla_training.run.card_text import LIMITS, RECORDED_LIMITS, measured_table, validation_table, write_files
from vla_training.run.errors import TrainingError

CARD, DATA = "README.md", "card.json"
CONVERTED_LIMITS = (
    "It knows Google's robot, its camera at the head and the objects of its training; for another arm, camera or table "
    "it has to be fine-tuned. Ranges and order of the actions are those of the published RT-1: the checkpoint does not "
    "tell its own. The controller's limits and its safety gate stay responsible for what moves."
)
_NEEDED = ("policy", "robot", "seed", "success_rate", "interval_95", "per_family", "episodes")
_VALIDATION = {
    "loss": "loss",
    "error": "mean error of a column, as a share of its range",
    "ahead": "error of the state in which something next switches, told from the picture alone [standard deviations]",
    "switch": "share of the columns that switch, as a gripper, that are right",
    "step_mm": "mean error of a step's component [mm]",
    "gripper": "share of gripper commands that are right",
    "mode": "share of terminate decisions that are right",
    "goal_mm": "error of the estimated object position [mm], an auxiliary output",
    "first_goal_mm": "the same on first frames of episodes alone [mm]",
    "swap": "share of frames that follow another instruction on the same picture, where it makes a difference",
}


def check_card(folder: Path) -> None:
    """Raises CheckpointError when the folder holds no checkpoint."""
    if rt2_card.is_rt2(folder):
        return
    from vla_policy.rt1.checkpoint import read_info

    read_info(folder)


def write_training(folder: Path, facts: Mapping[str, Any]) -> Path:
    """How the checkpoint came to be; see `_training` for the keys. Figures measured on other weights are dropped."""
    card = _read(folder)
    if (card["training"] or {}).get("steps") != facts["steps"]:
        card["measured"] = []
    return _write(folder, {**card, "training": dict(facts)})


def add_measured(folder: Path, report: Mapping[str, Any]) -> Path:
    """Add one report of `vla eval`, in place of an earlier one of the same kind. Raises TrainingError for another file.

    Raises CheckpointError when the folder holds no checkpoint.
    """
    check_card(folder)
    missing = [key for key in _NEEDED if key not in report]
    if missing:
        raise TrainingError(f"a report of `vla eval` is needed; this one lacks {', '.join(missing)}")
    row = {key: report[key] for key in _NEEDED} | {"instructions": report.get("instructions", "")}
    row["episodes"] = len(report["episodes"])
    card = _read(folder)
    kind = ("policy", "robot", "seed", "episodes", "instructions")
    others = [each for each in card["measured"] if any(each[key] != row[key] for key in kind)]
    return _write(folder, {**card, "measured": [*others, row]})


def rewrite(folder: Path) -> Path:
    """Write the card again from what is known of the checkpoint. Raises TrainingError for a damaged card.json."""
    return _write(folder, _read(folder))


def _read(folder: Path) -> dict[str, Any]:
    if rt2_card.is_rt2(folder):
        return rt2_card.read_card(folder)
    path = folder / DATA
    if not path.exists():
        return {"training": None, "measured": []}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return {"training": card["training"], "measured": list(card["measured"])}
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error!r}; remove it to start again") from error


def _write(folder: Path, card: Mapping[str, Any]) -> Path:
    if rt2_card.is_rt2(folder):
        return rt2_card.write_card(folder, card)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_files(folder, {DATA: json.dumps(card, indent=1) + "\n", CARD: render(config, card)})
    return folder / CARD


def render(config: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """The card's text, from config.json and card.json."""
    network, control = config["network"], config.get("control", {})
    height, width = network.get("picture_size") or network["image_size"]
    lines = [
        f"# RT-1 ({network['backbone']}) for {config['robot']}",
        "",
        _subject(control),
        "",
        f"- input: RGB {height} x {width} (height x width), history {network['history']}; instruction in English; "
        f"state: {', '.join(name.removeprefix(COLUMN) for name in network['proprio']) or 'none'}",
        f"- output: {network['action_dims']} dimensions of {network['bins']} bins, one step of "
        f"{control.get('period_s', '?')} s; ranges, units and order stand in config.json",
        f"- weights: safetensors; pictures are encoded by EfficientNet, sentences by {_sentences(network, control)}",
        f"- use: `./vla up robot:={config['robot']} policy:=rt1 checkpoint:=THIS_FOLDER`",
        "",
        "## Training",
        "",
        *(_training(card["training"]) if card["training"] else _untold(control)),
        "",
        "## Measured success",
        "",
        *_measured(card["measured"]),
        "",
        "## Limits",
        "",
        _limits(control),
    ]
    return "\n".join(lines) + "\n"


def _subject(control: Mapping[str, Any]) -> str:
    if control.get("actions") == "map":
        return (
            "A policy trained on recorded actions: one camera picture and an instruction to one action, whose columns "
            "and those of the state stand in observation_map.yaml."
        )
    if control.get("actions") == "numbers":
        return (
            "A policy trained on recorded actions as plain numbers: nothing says what the columns are. It moves an arm "
            "only with an observation map that does (map:=FILE)."
        )
    if "source" in control:
        return (
            f"Converted by `./vla convert rt1` from {control['source']}: one picture and an instruction to an action."
        )
    return "A policy for the simulated table-top of vla_sim: one camera picture and an instruction to one arm action."


def _limits(control: Mapping[str, Any]) -> str:
    if "actions" in control:
        return RECORDED_LIMITS
    return CONVERTED_LIMITS if "source" in control else LIMITS


def _sentences(network: Mapping[str, Any], control: Mapping[str, Any]) -> str:
    if network.get("instruction", "words") == "words":
        return "all-MiniLM-L6-v2 (not inside)"
    encoder = control.get("instruction_encoder")
    others = f"others by the installed encoder {encoder}" if encoder else "any other instruction is refused"
    return f"the Universal Sentence Encoder (not inside): {control['instructions']} embeddings are inside, {others}"


def _untold(control: Mapping[str, Any]) -> list[str]:
    if "source" in control:
        return ["By Google, on its own robots and data: arXiv 2212.06817. The numbers are unchanged."]
    return [f"{control.get('steps', '?')} steps on {control.get('frames', '?')} frames; no more was written down."]


def _training(facts: Mapping[str, Any]) -> list[str]:
    """`commands`, `data` (folder, episodes, frames), `seed`, `batch`, `steps`, `validation` (or {}), maybe `notes`."""
    lines = ["```", *facts["commands"], "```", ""]
    lines += [f"{facts['steps']} steps of {facts['batch']} frames, seed {facts['seed']}. Behaviour cloning from:", ""]
    lines += [f"- {each['folder']}: {each['episodes']} episodes, {each['frames']} frames" for each in facts["data"]]
    lines += [line for note in facts.get("notes", ()) for line in ("", note)]
    return lines + validation_table(facts["validation"], _VALIDATION)


def _measured(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["Not measured yet: `./vla eval --policy rt1 --checkpoint THIS_FOLDER --card THIS_FOLDER`."]
    return measured_table(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla card`; returns the exit status."""
    parser = Parser(prog="vla card", description="Put measured success into a checkpoint's model card (README.md).")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--eval", type=Path, nargs="+", default=[], metavar="F.json", help="reports of `vla eval`")
    arguments = parser.parse_args(argv)
    check_card(arguments.checkpoint)
    for path in arguments.eval:
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise TrainingError(f"{path} is not JSON: {error}") from error
        add_measured(arguments.checkpoint, report if isinstance(report, dict) else {})
    print(f"written: {rewrite(arguments.checkpoint)}")
    return 0
