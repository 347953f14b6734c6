# SPDX-License-Identifier: Apache-2.0
"""A microphone of this machine, through PortAudio; one that vanishes is looked for again."""

from __future__ import annotations

from queue import Empty, Queue
from typing import Any

import numpy as np

from vla_speech.errors import SoundError
from vla_speech.sound import Converter
from vla_speech.sources.source import Hear, Source

_PIECE = 0.032  # [s]
_DEAD = 2.0  # [s] without a sample after which the microphone is gone
_LIBRARY = "on Debian and Ubuntu: apt-get install libportaudio2"


class MicrophoneSource(Source):
    """Listens to one microphone at its own rate."""

    def __init__(self, name: str, hear: Hear) -> None:
        """Remember the device: a part of its name, empty for the default."""
        super().__init__(hear)
        self._name = name

    def _listen(self) -> None:
        sounddevice = _sounddevice()
        pieces: Queue[bytes] = Queue(200)
        try:
            device = _find(sounddevice, self._name)
            rate = int(device["default_samplerate"])
            converter = Converter(rate, 1)
            stream = sounddevice.RawInputStream(
                samplerate=rate,
                blocksize=round(rate * _PIECE),
                device=device["index"],
                channels=1,
                dtype="int16",
                callback=lambda data, *_: _keep(pieces, bytes(data)),
            )
            with stream:
                self.trouble = ""
                self._pass_on(pieces, converter)
        except sounddevice.PortAudioError as error:
            raise SoundError(f"microphone {self._name or '(default)'}: {error}; looking for it again") from error

    def _pass_on(self, pieces: Queue[bytes], converter: Converter) -> None:
        while not self._closing.is_set():
            try:
                data = pieces.get(timeout=_DEAD)
            except Empty:
                raise SoundError(f"the microphone sent nothing for {_DEAD:g} s; looking for it again") from None
            self._hear(converter.push(np.frombuffer(data, np.int16)))


def _keep(pieces: Queue[bytes], data: bytes) -> None:
    """Put a piece of sound where there is room."""
    if not pieces.full():
        pieces.put_nowait(data)


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise SoundError("no microphone: sounddevice is not installed (requirements/speech.txt)") from error
    except OSError as error:
        raise SoundError(f"no microphone: {error}; {_LIBRARY}") from error
    sounddevice._terminate()  # PortAudio sees devices that came or went only when it restarts
    sounddevice._initialize()
    return sounddevice


def _find(sounddevice: Any, name: str) -> Any:
    inputs = [device for device in sounddevice.query_devices() if device["max_input_channels"] > 0]
    found = [device for device in inputs if name.lower() in device["name"].lower()]
    names = ", ".join(repr(device["name"]) for device in inputs) or "none"
    if not found:
        raise SoundError(f"no microphone{f' named {name!r}' if name else ''}; there are: {names}")
    if name:
        return found[0]
    default = sounddevice.default.device[0]
    return next((device for device in found if device["index"] == default), found[0])
