# SPDX-License-Identifier: Apache-2.0
"""Instructions that come with their embeddings, for networks whose sentence encoder is not at hand.

RT-1 as Google released it reads 512 numbers of the Universal Sentence Encoder. A checkpoint keeps those of the
instructions that it can be given in `instructions.safetensors`: one tensor (512,) for each text.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor
from vla_core.files import replacing

from vla_policy.errors import ConfigurationError
from vla_policy.rt1.instruction.features import normalise_instruction

GROUP = "vla_policy.instruction_encoders"
FILE = "instructions.safetensors"
SHOWN = 8  # instructions that a refusal names
Embed = Callable[[str], ArrayLike]


class InstructionTable:
    """Embeddings by instruction; what it does not hold, an encoder may compute."""

    def __init__(self, embeddings: Mapping[str, ArrayLike], width: int, encoder: Embed | None = None) -> None:
        """`embeddings`: text to (width,) numbers; `encoder`: the same for any other text.

        Raises ConfigurationError for another width, numbers that are not finite, and for neither text nor encoder.
        """
        self._width, self._encoder = width, encoder
        self._known = {_normalised(text): _checked(value, width, text) for text, value in embeddings.items()}
        if not self._known and encoder is None:
            raise ConfigurationError("no instruction has an embedding and there is no encoder; valid is either")

    @property
    def texts(self) -> tuple[str, ...]:
        """The instructions that it holds, normalised."""
        return tuple(self._known)

    @property
    def example(self) -> str:
        """An instruction that it knows."""
        return next(iter(self._known), "pick up the block")

    def __call__(self, text: str) -> Tensor:
        """Return the embedding (1, width). Raises ValueError, naming valid instructions, for an unknown one."""
        key = normalise_instruction(text)
        if key not in self._known:
            if self._encoder is None:
                raise ValueError(f"no embedding for the instruction {key[:80]!r}; {self._valid(key)}")
            self._known[key] = _checked(self._encoder(key), self._width, key)
        return torch.from_numpy(self._known[key].copy())[None]

    def save(self, folder: Path) -> None:
        """Write what it holds into a checkpoint's folder."""
        with replacing(folder / FILE) as temporary:
            save_file(self._known, temporary)

    def _valid(self, key: str) -> str:
        near = difflib.get_close_matches(key, self._known, SHOWN, 0.0)
        return f"valid are {len(self._known)}: {', '.join(map(repr, near))}{' ...' if len(self._known) > SHOWN else ''}"


def load_table(folder: Path, width: int, encoder: str = "") -> InstructionTable:
    """Return a checkpoint's table. `encoder`: name of an entry point of `vla_policy.instruction_encoders`, or none.

    Raises ConfigurationError for a damaged file, a wrong width or an unknown encoder.
    """
    path = folder / FILE
    known = read_embeddings(path) if path.exists() else {}
    return InstructionTable(known, width, installed_encoder(encoder) if encoder else None)


def installed_encoder(name: str) -> Embed:
    """Return an installed encoder: text to numbers. Raises ConfigurationError that lists the installed ones."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise ConfigurationError(f"instruction encoder {name!r} is unknown; valid are {', '.join(points) or 'none'}")
    try:
        made: Embed = points[name].load()()
    except Exception as error:  # whatever a foreign package raises
        raise ConfigurationError(f"instruction encoder {name!r} cannot be made: {error}") from error
    return made


def read_embeddings(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return text to numbers of a .json (object), .npz or .safetensors file (an array for each text).

    Raises ConfigurationError for another or a damaged file.
    """
    readers: dict[str, Callable[[Path], Mapping[str, Any]]] = {
        ".json": _json,
        ".npz": _npz,
        ".safetensors": load_file,
    }
    if path.suffix not in readers:
        raise ConfigurationError(f"{path}: embeddings are read from {', '.join(readers)} files")
    try:
        found = readers[path.suffix](path)
        return {text: np.asarray(value, dtype=np.float32) for text, value in found.items()}
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ConfigurationError(f"{path} holds no embeddings by instruction: {error}") from error


def _json(path: Path) -> Mapping[str, Sequence[float]]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError(f"it holds {type(data).__name__}; valid is an object of instruction to numbers")
    return data


def _npz(path: Path) -> Mapping[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as data:
        return {text: data[text] for text in data.files}


def _normalised(text: str) -> str:
    try:
        return normalise_instruction(text)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _checked(value: ArrayLike, width: int, text: str) -> NDArray[np.float32]:
    array = np.asarray(value, dtype=np.float32)
    if array.shape != (width,) or not np.isfinite(array).all():
        raise ConfigurationError(
            f"the embedding of {text[:80]!r} has shape {array.shape}; valid are {width} finite numbers"
        )
    return array
