# SPDX-License-Identifier: Apache-2.0
"""The wake phrase in recognised text."""

from difflib import SequenceMatcher

from vla_operator.halting import fold, tokens

_ALIKE = 0.78  # similarity at which the first words count as the wake phrase: "hey robert" for "hey robot"


def split_wake(text: str, phrase: str) -> tuple[bool, str]:
    """Return whether `text` begins with the wake phrase, or nearly, and the text after it."""
    words, wanted = text.split(), " ".join(tokens(fold(phrase)))
    if not wanted:
        return True, text
    count = len(wanted.split())
    heads = {length: " ".join(tokens(fold(" ".join(words[:length])))) for length in (count - 1, count, count + 1)}
    alike = {length: SequenceMatcher(None, head, wanted).ratio() for length, head in heads.items() if length > 0}
    length = max(alike, key=lambda n: (alike[n], -n))
    if alike[length] < _ALIKE:
        return False, text
    return True, " ".join(words[length:]).lstrip(" ,.;:!?-")
