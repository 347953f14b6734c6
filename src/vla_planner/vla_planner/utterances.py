# SPDX-License-Identifier: Apache-2.0
"""Kinds of sentences that an operator says about a goal."""

from __future__ import annotations

import re

_QUESTION = re.compile(r"^(why|what|which|where|who|how|when|is|are|was|did|do you|does|have you|can you (see|tell))\b")


def is_question(text: str) -> bool:
    """Whether a sentence asks for an answer in words, for example "why did you do that?"."""
    words = text.strip().lower()
    return bool(_QUESTION.match(words)) and (words.endswith("?") or words.startswith(("why", "what", "where", "how")))
