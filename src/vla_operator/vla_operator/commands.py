# SPDX-License-Identifier: Apache-2.0
"""Operator utterances, typed or spoken: what is a task, what is a stop, what is refused."""

import unicodedata
from dataclasses import dataclass
from enum import Enum

from vla_operator.errors import CommandError
from vla_operator.halting import BUILT_IN, HaltDetector

MAX_CHARACTERS = 512
"""Longest accepted text after normalisation [characters]."""

_MAX_RAW_CHARACTERS = 16 * MAX_CHARACTERS  # beyond this nothing is normalised: the work stays bounded
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_JOINERS = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}  # some scripts need them to spell


class CommandKind(Enum):
    """The values of vla_msgs/Instruction.KIND_*."""

    TASK = 0
    STOP = 1


@dataclass(frozen=True, slots=True)
class Command:
    """An accepted utterance; ``text`` is normalised."""

    text: str
    kind: CommandKind


def normalise(text: str) -> str:
    """NFC, without control and invisible format characters, whitespace collapsed to single spaces and trimmed."""
    visible = (_visible(character) for character in unicodedata.normalize("NFC", text))
    return unicodedata.normalize("NFC", " ".join("".join(visible).split()))


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    dropped = unicodedata.category(character) in {"Cc", "Cf"} and character not in _JOINERS
    return "" if dropped else character


def parse_command(text: str, detector: HaltDetector = BUILT_IN) -> Command:
    """Normalise and classify an utterance.

    A halt word is looked for before anything is refused, so a badly transmitted "stop" still stops.

    Raises:
        CommandError: the text is empty, longer than MAX_CHARACTERS, or not clean UTF-8 (surrogates, U+FFFD).
    """
    clean = normalise(text[:_MAX_RAW_CHARACTERS])
    if detector.means_halt(clean):
        return Command(_stop_text(clean), CommandKind.STOP)
    if len(text) > _MAX_RAW_CHARACTERS:
        raise _too_long(len(text))
    _check_encoding(text)
    if not any(unicodedata.category(character)[0] in "LNPS" for character in clean):
        raise CommandError(
            f"empty instruction (received {len(text)} characters, none visible); valid: what the robot is to do"
        )
    if len(clean) > MAX_CHARACTERS:
        raise _too_long(len(clean))
    return Command(clean, CommandKind.TASK)


def _stop_text(clean: str) -> str:
    """What is passed on of a stop: readable, short and encodable."""
    shown = "".join(character for character in clean if character != _REPLACEMENT and not _is_surrogate(character))
    return shown[:MAX_CHARACTERS].strip()


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _check_encoding(text: str) -> None:
    for index, character in enumerate(text):
        if character == _REPLACEMENT or _is_surrogate(character):
            raise CommandError(
                f"instruction is not clean UTF-8: U+{ord(character):04X} at character {index} of {len(text)}; "
                "send valid UTF-8 without replacement characters"
            )


def _too_long(length: int) -> CommandError:
    return CommandError(f"instruction too long: received {length} characters, valid are 1 to {MAX_CHARACTERS}")
