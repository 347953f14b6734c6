# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of the replies, in the subset that every server takes: no references, every property required."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vla_planner.planner import Situation
from vla_planner.vocabulary import Vocabulary

STEPS, DONE, QUESTION, REFUSAL = "steps", "done", "question", "refusal"
KINDS = (STEPS, DONE, QUESTION, REFUSAL)
MAX_STEPS = 20
MAX_TEXT = 400  # characters of a sentence for the operator


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def decision_schema(vocabulary: Vocabulary, situation: Situation, most: int = MAX_STEPS) -> dict[str, Any]:
    """Return the schema of a decision: steps are one of those that name only what is there."""
    legal = [step.text for step in vocabulary.steps(situation.scene.names)]
    kinds = [kind for kind in KINDS if legal or kind != STEPS]
    item: dict[str, Any] = {"type": "string", "enum": legal} if legal else {"type": "string"}
    return _object(
        kind={"type": "string", "enum": kinds},
        steps={"type": "array", "items": item, "maxItems": most if legal else 0},
        text={"type": "string", "description": "question, reason of the refusal, or one sentence about the steps"},
    )


VERDICT = _object(
    holds={"type": "boolean"},
    confidence={"type": "number", "minimum": 0, "maximum": 1},
    reason={"type": "string", "description": "what is seen, in one short sentence"},
)
ANSWER = _object(
    known={"type": "boolean", "description": "false where plan, state and verdicts do not tell it"},
    text={"type": "string", "description": "one or two short sentences; empty where it is not known"},
)


def points_schema(names: Sequence[str]) -> dict[str, Any]:
    """Return the schema of points: [y, x] normalised to 0 to 1000, with the object's name as label."""
    coordinate = {"type": "integer", "minimum": 0, "maximum": 1000}
    point = {"type": "array", "items": coordinate, "minItems": 2, "maxItems": 2}
    one = _object(point=point, label={"type": "string", "enum": list(names)})
    return _object(points={"type": "array", "items": one, "maxItems": 4 * len(names)})
