# SPDX-License-Identifier: Apache-2.0
"""Wordings that no pattern fits, by similarity to sentences of known meaning; the blocks by their colours."""

from __future__ import annotations

import re
from functools import cache

from vla_planner.symbols.grammar import named, select
from vla_planner.symbols.sentence import SentenceEncoder
from vla_planner.symbols.wishes import GATHER, Selection, Wish
from vla_planner.vocabulary import NEAR, PICK, PLACE, PUSH, TABLETOP

LEAST = 0.5  # similarity below which a sentence means nothing known
ALL = "all"
_FORMS: dict[str, tuple[str, ...]] = {  # blocks are named red, then blue
    PICK: ("pick up the red block", "hold the red block in your gripper", "fetch the red block", "hoist the red block"),
    PLACE: (
        "put the red block in the bowl",
        "the red block belongs in the bowl",
        "the bowl should contain the red block",
        "drop the red block into the dish",
        "put the red block and the blue block in the bowl",
    ),
    NEAR: (
        "move the red block next to the blue block",
        "the red block should stand by the blue block",
        "i want the red block and the blue block side by side",
        "let the red block keep the blue block company",
    ),
    "left": ("push the red block to the left", "the red block should end up on the left", "shift the red block left"),
    "right": (
        "push the red block to the right",
        "the red block should end up on the right",
        "shift the red block right",
    ),
    ALL: (
        "put all the blocks in the bowl",
        "i want nothing left on the table",
        "make the table empty",
        "stow away all the blocks",
        "collect every block in the bowl",
        "leave only the red block on the table",
        "everything except the red block goes in the bowl",
    ),
    GATHER: ("gather all the blocks around the red block", "bring every block close to the red block"),
    "sort": ("sort the blocks by warm and cold colours", "separate warm colours from cold colours"),
}
_ONLY = re.compile(r"\b(?:only|except|but|apart|leave|keep|spare|besides|nothing)\b")


@cache
def _encoder() -> SentenceEncoder:
    return SentenceEncoder()


def meaning(clause: str) -> tuple[list[Wish], float]:
    """Return the wishes of a clause by its most similar form, and the similarity; no wishes below LEAST."""
    blocks = named(clause)
    form, similarity = _nearest(_with_known_colors(clause, blocks))
    if similarity < LEAST:
        return [], similarity
    return _wishes(form, blocks, clause), similarity


def similarity(a: str, b: str) -> float:
    """Return the cosine of two sentences."""
    return float(_encoder()(a) @ _encoder()(b))


def _nearest(text: str) -> tuple[str, float]:
    vector = _encoder()(text)
    scores = [(float(vector @ _encoder()(phrase)), form) for form, phrases in _FORMS.items() for phrase in phrases]
    score, form = max(scores)
    return form, score


def _with_known_colors(clause: str, blocks: tuple[str, ...]) -> str:
    """Put red for the first colour that a clause names and blue for the others, so that colours do not decide."""
    for index, name in enumerate(blocks):
        clause = re.sub(rf"\b{name.split()[0]}\b", f"#{'red' if index == 0 else 'blue'}", clause)
    return clause.replace("#", "")


def _wishes(form: str, blocks: tuple[str, ...], clause: str) -> list[Wish]:
    if form == ALL:
        but = blocks if _ONLY.search(clause) else ()
        if blocks and not but:
            return [Wish(PLACE, Selection(blocks), "bowl")]
        return [Wish(PLACE, Selection(everything=True, but=but), "bowl")]
    if form == "sort":
        warm = tuple(name for name in TABLETOP.movable if name in ("red block", "yellow block"))
        cold = tuple(name for name in TABLETOP.movable if name not in warm)
        return [Wish(PUSH, Selection(warm), "left"), Wish(PUSH, Selection(cold), "right")]
    if form == GATHER:
        return [Wish(GATHER, Selection(everything=True), blocks[0])] if blocks else []
    objects = Selection(blocks) if blocks else select(clause)
    if form in ("left", "right"):
        side = next((word for word in ("left", "right") if word in clause), form)
        return [Wish(PUSH, objects, side)]
    if form == NEAR:
        return [Wish(NEAR, Selection(blocks[:-1]), blocks[-1])] if len(blocks) > 1 else []
    return [Wish(form, objects, "bowl" if form == PLACE else "")]
