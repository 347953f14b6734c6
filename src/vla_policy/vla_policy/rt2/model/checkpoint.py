# SPDX-License-Identifier: Apache-2.0
"""RT-2 checkpoints: a folder as transformers saves it (config.json, model.safetensors, the processor), and rt2.json.

rt2.json: `{"format": "vla-rt2-1", "action_space": {}, "vocabulary": {}, "prompt": {}, "robot": "fr3", "control": {}}`,
each object in the JSON form of its class.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vla_policy.action.space import ActionSpace
from vla_policy.errors import ActionSpaceError, CheckpointError, ConfigurationError
from vla_policy.rt2.decoding.decode_settings import Mode, member
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.model.loading import CONFIG, model_config, stored_file
from vla_policy.rt2.prompt import PromptTemplate
from vla_policy.rt2.vocabulary import ActionVocabulary, Strategy

INFO_FILE = "rt2.json"
FORMAT = "vla-rt2-1"
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_KEYS = {"format": str, "action_space": dict, "vocabulary": dict, "prompt": dict, "robot": str, "control": dict}


@dataclass(frozen=True, slots=True)
class RT2Info:
    """What makes a vision-language model a policy.

    robot: its name, empty for any; control: free, read are period_s [s], gripper_max_width [m], image_size [height,
    width] of the pictures it was trained on, and decode, the mode of decoding that suits it.
    """

    action_space: ActionSpace
    vocabulary: ActionVocabulary
    prompt: PromptTemplate
    robot: str = ""
    control: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ConfigurationError where the vocabulary has another number of tokens than the space has bins, and for
        an invalid control value.
        """
        for name in ("period_s", "gripper_max_width"):
            if not _is_number(self.control.get(name, 1.0)):
                raise ConfigurationError(f"control: {name} is {self.control[name]!r}; valid is a number above 0")
        member(Mode, "control: decode", self.decode)
        size = self.control.get("image_size", (1, 1))
        if not (isinstance(size, list | tuple) and len(size) == 2 and all(_is_number(n) and n == int(n) for n in size)):
            raise ConfigurationError(f"control: image_size is {size!r}; valid is [height, width] in whole pixels")
        if self.vocabulary.bins != self.action_space.bins:
            raise ConfigurationError(
                f"the vocabulary has {self.vocabulary.bins} action tokens; valid for {self.action_space.name} are "
                f"{self.action_space.bins}, one a bin"
            )

    @property
    def decode(self) -> str:
        """The mode of decoding that suits it; greedy where it names none."""
        return str(self.control.get("decode", Mode.GREEDY))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "format": FORMAT,
            "action_space": self.action_space.to_dict(),
            "vocabulary": self.vocabulary.to_dict(),
            "prompt": self.prompt.to_dict(),
            "robot": self.robot,
            "control": dict(self.control),
        }

    @classmethod
    def from_dict(cls, data: object) -> RT2Info:
        """Read the JSON form. Raises ConfigurationError or ActionSpaceError: what was received and what is valid."""
        if not isinstance(data, Mapping):
            raise ConfigurationError(f"it holds {type(data).__name__}; valid is an object with {', '.join(_KEYS)}")
        for key, kind in _KEYS.items():
            if not isinstance(data.get(key), kind):
                raise ConfigurationError(f"key {key!r} is missing or not {kind.__name__}; valid are {', '.join(_KEYS)}")
        if data["format"] != FORMAT:
            raise ConfigurationError(f"format is {data['format']!r}; valid is {FORMAT!r}")
        return cls(
            ActionSpace.from_dict(data["action_space"]),
            ActionVocabulary.from_dict(data["vocabulary"]),
            PromptTemplate.from_dict(data["prompt"]),
            data["robot"],
            data["control"],
        )


def _is_number(value: object) -> bool:
    """Whether it is a finite number above 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < math.inf


@dataclass(frozen=True, slots=True, eq=False)
class RT2Checkpoint:
    """A loaded checkpoint; source: the folder or hub id that it came from."""

    backend: VlmBackend
    info: RT2Info
    source: str = ""


def save_checkpoint(folder: Path, model: Any, processor: Any, info: RT2Info) -> None:
    """Write the folder. Each file is replaced atomically and rt2.json comes last."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".saving-") as name:
        temporary = Path(name)
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
        (temporary / INFO_FILE).write_text(json.dumps(info.to_dict(), indent=2) + "\n", encoding="utf-8")
        files = sorted(path for path in temporary.rglob("*") if path.is_file() and path.name != INFO_FILE)
        for path in (*files, temporary / INFO_FILE):
            target = folder / path.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)


def read_info(source: str | Path) -> RT2Info:
    """rt2.json alone, of a folder or hub id, without the weights. Raises CheckpointError."""
    path = stored_file(str(source), INFO_FILE)
    if path is None:
        model_config(str(source))  # says so where there is no vision-language model at all
        raise CheckpointError(
            f"{source} has no {INFO_FILE}: a vision-language model without an action vocabulary; "
            f"`vla train rt2 --base {source}` gives it one"
        )
    try:
        return RT2Info.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is unreadable or truncated: {error}") from error
    except (ConfigurationError, ActionSpaceError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def load_checkpoint(
    source: str | Path,
    robot: str | None = None,
    device: str = "cpu",
    dtype: str = "auto",
    quantization: str | None = None,
) -> RT2Checkpoint:
    """Model, processor and what makes them a policy, from a folder or a hub id.

    Raises CheckpointError (see `load_model_and_processor`; also no rt2.json, another robot, a vocabulary that the model
    or the tokenizer does not have) and ConfigurationError for a setting.
    """
    info = read_info(source)
    if robot and info.robot and robot != info.robot:
        raise CheckpointError(f"{source} was trained for robot {info.robot!r}, not for {robot!r}")
    backend = VlmBackend.load(source, device, dtype, quantization)
    check_vocabulary(backend, info.vocabulary, str(source))
    return RT2Checkpoint(backend, info, str(source))


def check_vocabulary(backend: VlmBackend, vocabulary: ActionVocabulary, source: str) -> None:
    """Raise CheckpointError where the action tokens of `source` are not the model's or the tokenizer's."""
    rows = [
        layer.weight.shape[0] for layer in (backend.model.get_input_embeddings(), backend.model.get_output_embeddings())
    ]
    largest = max(vocabulary.ids)
    if largest >= min(rows):
        raise CheckpointError(
            f"{source}: the vocabulary's largest action token is {largest}, the model has {min(rows)} tokens; "
            "valid are ids below that: with strategy new the embeddings are resized before training"
        )
    if vocabulary.strategy is Strategy.INTEGERS:
        wrong = [n for n, i in enumerate(vocabulary.ids) if backend.tokenizer.decode([i]).strip() != str(n)]
        if wrong:
            raise CheckpointError(
                f"{source}: action token {wrong[0]} reads {backend.tokenizer.decode([vocabulary.ids[wrong[0]]])!r}; "
                "valid with strategy integers is the number itself: this is another tokenizer"
            )


def find_checkpoint(name: str, robot: str) -> str:
    """A folder, the name of a shipped checkpoint, a hub id, or for an empty name the one shipped for `robot`.

    Raises CheckpointError that lists the shipped ones.
    """
    wanted = name or f"small_{robot or 'fr3'}"
    for folder in (Path(wanted).expanduser(), SHIPPED / wanted):
        if any((folder / file).is_file() for file in (CONFIG, INFO_FILE)):
            return str(folder)
    if HUB_ID.fullmatch(wanted) and not Path(wanted).exists():
        return wanted
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{INFO_FILE}"))
    raise CheckpointError(
        f"no RT-2 checkpoint {wanted!r}: neither a folder with {CONFIG} and {INFO_FILE}, nor a hub id as owner/name, "
        f"nor a shipped one; shipped are {', '.join(shipped) or 'none'}"
    )
