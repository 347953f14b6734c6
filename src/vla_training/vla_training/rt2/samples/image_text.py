# SPDX-License-Identifier: Apache-2.0
"""Image-text sets on disk, in the two layouts that are common.

imagefolder (Hugging Face datasets): FOLDER/metadata.jsonl with `file_name` and either `text` (a caption) or `question`
and `answer` in each line. LLaVA: a .json file, a list of `{"image", "conversations": [{"from", "value"}, ...]}`, with
paths relative to the file's folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from vla_policy.errors import InstructionError
from vla_policy.rt2.model.backend import VlmBackend
from vla_policy.rt2.prompt import PromptTemplate

from vla_training.rt2.samples.samples import POINTS, Group, Sample
from vla_training.run.errors import TrainingError

METADATA = "metadata.jsonl"
CAPTION = "what is in the picture?"  # the question that a bare caption answers
_IMAGE_MARK = "<image>"


@dataclass(frozen=True, slots=True)
class ImageText:
    """A picture's file and its (question, answer) pairs."""

    image: Path
    pairs: tuple[tuple[str, str], ...]


def read_image_text(path: Path) -> tuple[ImageText, ...]:
    """Every picture of a set that has text. Raises TrainingError for an unknown layout, a damaged line, no picture."""
    if (path / METADATA).is_file():
        items = _image_folder(path)
    elif path.suffix == ".json" and path.is_file():
        items = _llava(path)
    else:
        raise TrainingError(f"{path} is no image-text set; valid: a folder with {METADATA}, or a LLaVA .json file")
    missing = next((item.image for item in items if not item.image.is_file()), None)
    if missing is not None:
        raise TrainingError(f"{path}: picture {missing} is missing")
    if not items:
        raise TrainingError(f"{path} holds no picture with text")
    return tuple(items)


def _image_folder(folder: Path) -> list[ImageText]:
    pairs: dict[Path, list[tuple[str, str]]] = {}
    for number, line in enumerate((folder / METADATA).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        row = _object(line, f"{folder / METADATA}, line {number}")
        name, text = row.get("file_name"), row.get("text")
        found = (CAPTION, text) if isinstance(text, str) else (row.get("question"), row.get("answer"))
        pair = [_bare(part) for part in found if isinstance(part, str)]
        if not isinstance(name, str) or len(pair) != 2 or not all(pair):
            raise TrainingError(
                f"{folder / METADATA}, line {number}: {line[:120]!r}; valid is file_name with text, or with question "
                "and answer"
            )
        pairs.setdefault(folder / name, []).append((pair[0], pair[1]))
    return [ImageText(image, tuple(found)) for image, found in pairs.items()]


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise TrainingError(f"{where} is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise TrainingError(f"{where} is a {type(row).__name__}; valid is an object")
    return row


def _llava(path: Path) -> list[ImageText]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        found = [ImageText(path.parent / row["image"], _turns(row)) for row in rows if "image" in row]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} is no LLaVA file (a list of image and conversations): {error!r}") from error
    return [item for item in found if item.pairs]


def _bare(text: str) -> str:
    """Without the mark that sets put where the picture goes: the processor sets its own."""
    return text.replace(_IMAGE_MARK, " ").strip()


def _turns(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    turns = [(str(turn["from"]), _bare(str(turn["value"]))) for turn in row["conversations"]]
    pairs = zip(turns[::2], turns[1::2], strict=False)
    return tuple((q, a) for (who, q), (other, a) in pairs if who in ("human", "user") and other != who and q and a)


def fitting(
    items: Sequence[ImageText], backend: VlmBackend, prompt: PromptTemplate, encode: Callable[[str], tuple[int, ...]]
) -> tuple[list[ImageText], int]:
    """The texts that the model can read, and how many it cannot: too long beside the picture, or with control tokens.

    The picture's tokens are counted on the first one.
    """
    question = prompt.question_prompt("what")
    taken = backend.inputs([_read(items[0].image)], [question])["input_ids"].shape[1]
    room = math.inf if backend.max_tokens is None else backend.max_tokens - taken
    kept, left_out = [], 0
    for item in items:
        pairs = tuple(pair for pair in item.pairs if _fits(pair, backend, encode, room))
        left_out += len(item.pairs) - len(pairs)
        kept += [ImageText(item.image, pairs)] if pairs else []
    return kept, left_out


def _fits(pair: tuple[str, str], backend: VlmBackend, encode: Callable[[str], tuple[int, ...]], room: float) -> bool:
    try:
        return sum(len(encode(backend.check_words(text))) for text in pair) <= room
    except InstructionError:
        return False


class ImageTextSource:
    """Draws pictures of a set with some of their questions."""

    def __init__(
        self, items: Sequence[ImageText], prompt: PromptTemplate, encode: Callable[[str], tuple[int, ...]]
    ) -> None:
        self._items, self._prompt, self._encode = items, prompt, encode

    def draw(self, count: int, rng: np.random.Generator) -> Group:
        """A picture with at most `count` questions. Raises TrainingError for a damaged picture."""
        item = self._items[int(rng.integers(len(self._items)))]
        chosen = rng.permutation(len(item.pairs))[:count]
        points = np.full((POINTS, 3), np.nan)
        samples = tuple(
            Sample(self._prompt.question_prompt(question), self._encode(answer), None, points)
            for question, answer in (item.pairs[int(i)] for i in chosen)
        )
        return Group(_read(item.image), samples)


def _read(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise TrainingError(f"picture {path} is damaged or of an unknown format")
    return np.ascontiguousarray(image[:, :, ::-1])
