# SPDX-License-Identifier: Apache-2.0
"""Sentences to wishes by patterns. What no pattern fits is left to `similar`."""

from __future__ import annotations

import re

from vla_planner.errors import GoalError
from vla_planner.symbols.wishes import GATHER, Selection, Stage, Wish
from vla_planner.vocabulary import NEAR, PICK, PLACE, PUSH, TABLETOP, Vocabulary

WARM, COLD = ("red block", "yellow block"), ("green block", "blue block", "purple block")
_COLORS = tuple(name.split()[0] for name in TABLETOP.movable)
_COLOR = rf"(?:{'|'.join(_COLORS)})"
_VERB = r"(?:put|place|push|pick|move|slide|shove|bring|drop|set|lift|grab|take|gather|clear|sort|collect|toss)"
_STAGES = re.compile(
    r"\s*(?:[;.!]|,?\s*\b(?:and then|then|after that|afterwards|and finally|finally|lastly|followed by)\b,?|\bnext,)"
    r"\s*"
)
_CLAUSES = re.compile(rf"\s*,?\s*(?:\band\b\s+(?={_VERB}\b)|,\s*(?={_VERB}\b))")
_NEXT = r"(?:right next to|next to|nearby|near|beside|close to|alongside|adjacent to|around|surround)"
_TARGET = re.compile(
    rf"\b(?P<bowl>(?:in|into|inside|within)(?:\s+the|\s+a)?\s+bowl)\b"
    rf"|\b{_NEXT}\s+(?:the\s+|each\s+)?(?P<near>it|them|that(?: one)?|bowl|{_COLOR})\b(?:\s+(?:one|block|cube))?"
    r"|\b(?:to|on|onto|towards?)?\s*(?:the\s+|your\s+)?(?P<side>left|right)\b(?:[- ]hand)?(?:\s+side|\s+edge)?"
)
_BUT = re.compile(r"\b(?:except(?: for)?|but(?: not)?|apart from|other than|besides|excluding|without|not)\b")
_ALL = re.compile(r"\b(?:all|every|everything|each|both|blocks|cubes|them|rest|others?|remaining|toys)\b")
_PICK = re.compile(r"\b(?:pick|lift|grab|grasp|take|raise|get|hold)\b")
_GATHER = re.compile(r"\b(?:gather|collect|group|assemble|huddle|surround|around|together)\b")
_CLEAR = re.compile(
    r"\b(?:clear|tidy|clean|empty)\b.*\b(?:table|desk|surface|up|everything)\b|\btidy up\b"
    r"|\b(?:table|desk|surface)\b.*\b(?:empty|clear|tidy|clean)\b"
)
_FILL = re.compile(r"\b(?:fill|load) the bowl with\b|\bbowl (?:should|must|is to) (?:contain|hold)\b")
_SORT = re.compile(r"\b(?:sort|separate|split|divide)\b")
_VAGUE = re.compile(r"\b(?:block|cube|it|one)\b")
_FOREIGN_COLOR = re.compile(
    r"\b(orange|pink|black|white|brown|gr[ae]y|cyan|turquoise|magenta|gold|silver|beige)"
    r"(?:\s+(?:block|cube|one|ball|can))?\b"
)
_FOREIGN = re.compile(
    r"\b(cup|mug|plate|drawer|door|apple|ball|can|bottle|box|tray|shelf|spoon|fork|knife|banana|sponge|bin|basket|fridge|"
    r"phone|pen|book|chair|floor|window|lamp|towel|pot|pan|glass|bag|robot|person|cat|dog)s?\b"
)
_UNABLE = re.compile(r"\b(stack|on top of|throw|break|open|close|pour|cook|rotate|turn|flip|hit|cut|stir|wipe)\b")


def parse_stages(text: str, vocabulary: Vocabulary = TABLETOP) -> tuple[tuple[str, Stage], ...]:
    """Return a goal's stages in order, each with its words; a stage that no pattern fits has no wishes.

    Raises:
        GoalError: it names a thing outside the vocabulary, or what the policy cannot do.
    """
    words = re.sub(r"\s+", " ", text.lower().replace("first of all", "first")).strip()
    refuse_foreign(words, vocabulary)
    words = re.sub(r"\bfirst(?:ly)?\b,?\s*", "", words)
    words = re.sub(r"\bplease\b,?\s*", "", words)
    parts = [part.strip(" ,.!?") for part in _STAGES.split(words)]
    stages: list[tuple[str, Stage]] = []
    mentioned, moved = "", Selection()
    for part in filter(None, parts):
        wishes: list[Wish] = []
        for clause in filter(None, (piece.strip(" ,") for piece in _CLAUSES.split(part))):
            found = [_referred(wish, clause, moved) for wish in parse_clause(clause, mentioned)]
            wishes += found
            mentioned = _last_named(clause, found) or mentioned
            moved = found[-1].objects if found else moved
        stages.append((part, tuple(wishes)))
    return tuple(stages)


def refuse_foreign(words: str, vocabulary: Vocabulary) -> None:
    """Raise GoalError for an object or an act outside the vocabulary."""
    known = f"valid: {vocabulary.describe()}"
    for pattern in (_FOREIGN_COLOR, _FOREIGN):
        match = pattern.search(words)
        if match:
            raise GoalError(f"the goal names {match.group(0)!r}, which the robot does not know; {known}")
    match = _UNABLE.search(words)
    if match:
        raise GoalError(f"the goal wants to {match.group(1)!r}, which the policy cannot do; {known}")


def parse_clause(clause: str, mentioned: str = "") -> list[Wish]:
    """Return the wishes of one clause; none where no pattern fits. `mentioned`: what "it" means."""
    if _FILL.search(clause):
        return [Wish(PLACE, select(_FILL.split(clause)[-1]), "bowl")]
    if _CLEAR.search(clause) and not _TARGET.search(clause):
        but = _BUT.split(clause, maxsplit=1)
        return [Wish(PLACE, Selection(everything=True, but=named(but[1]) if len(but) > 1 else ()), "bowl")]
    if _SORT.search(clause) and not _TARGET.search(clause):
        return [Wish(PUSH, Selection(WARM), "left"), Wish(PUSH, Selection(COLD), "right")]
    wishes: list[Wish] = []
    last = 0
    for match in _TARGET.finditer(clause):
        wish = _aimed(clause[last : match.start()], match, clause, mentioned)
        if wish is not None:
            wishes.append(wish)
            last = match.end()
    rest = clause[last:]
    if wishes and _BUT.search(rest) and named(rest):
        return _without(wishes, named(rest))
    if not wishes and _PICK.search(clause) and (named(clause) or _VAGUE.search(clause)):
        return [Wish(PICK, select(clause))]
    return wishes


def _referred(wish: Wish, clause: str, moved: Selection) -> Wish:
    """Return the wish with what "it" or "them" means: the objects of the clause before."""
    pronoun = re.search(r"\b(?:it|them)\b", clause) and not named(clause)
    if pronoun and moved != Selection() and (wish.objects.vague or wish.objects == Selection(everything=True)):
        return Wish(wish.family, moved, wish.target)
    return wish


def _aimed(phrase: str, match: re.Match[str], clause: str, mentioned: str) -> Wish | None:
    objects = select(phrase)
    if match["bowl"]:
        return Wish(PLACE, objects, "bowl") if objects != Selection() else None
    if match["side"]:
        return Wish(PUSH, objects, match["side"]) if objects != Selection() else None
    target = f"{match['near']} block" if match["near"] in _COLORS else match["near"]
    target = mentioned if target in ("it", "them", "that", "that one") else target
    if _GATHER.search(clause):
        return Wish(GATHER, Selection(everything=True, but=objects.but), target)
    return Wish(NEAR, objects, target) if objects != Selection() else None


def select(phrase: str) -> Selection:
    """Return which objects a phrase names."""
    before, *after = _BUT.split(phrase, maxsplit=1)
    but = named(after[0]) if after else ()
    names = named(before)
    if re.search(r"\bwarm\b", before):
        return Selection(WARM, but=but)
    if re.search(r"\b(?:cold|cool)\b", before):
        return Selection(COLD, but=but)
    if names:
        return Selection(names, but=but)
    if _ALL.search(before) or but:
        return Selection(everything=True, but=but)
    return Selection(vague=True) if _VAGUE.search(before) else Selection()


def named(phrase: str) -> tuple[str, ...]:
    """Return the blocks whose colours a phrase names, in order, each once."""
    return tuple(dict.fromkeys(f"{color} block" for color in re.findall(rf"\b{_COLOR}\b", phrase)))


def _without(wishes: list[Wish], but: tuple[str, ...]) -> list[Wish]:
    last = wishes[-1]
    objects = Selection(last.objects.names, last.objects.everything, (*last.objects.but, *but), last.objects.vague)
    return [*wishes[:-1], Wish(last.family, objects, last.target)]


def _last_named(clause: str, wishes: list[Wish]) -> str:
    """Return what "it" means after a clause: its target, else its last block."""
    if wishes and wishes[-1].target not in ("", "left", "right"):
        return wishes[-1].target
    return (named(clause) or ("",))[-1]
