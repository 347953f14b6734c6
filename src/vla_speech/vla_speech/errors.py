# SPDX-License-Identifier: Apache-2.0
"""Errors of sound and speech; each text says what was received and what is valid."""


class SoundError(ValueError):
    """A sound, its file or its source is not usable."""


class MissingSpeechError(RuntimeError):
    """A library of requirements/speech.txt or requirements/whisper.txt is not installed."""


SETUP = "./vla run python -m pip install -r requirements/{}.txt"


def missing(library: str, requirements: str) -> MissingSpeechError:
    """Return the error for an absent `library`, with the command that installs it."""
    return MissingSpeechError(f"{library} is not installed; {SETUP.format(requirements)}")
