# SPDX-License-Identifier: Apache-2.0
"""Record what a policy does, and play it back: both have the interface of a policy."""

import json
from dataclasses import replace
from pathlib import Path

from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference

from vla_policy.errors import CheckpointError, InstructionError
from vla_policy.policy import Answer, NoOptions, Observation, Policy, PolicyConfig
from vla_policy.replay.recording import FORMAT, Episode, chunk_to_dict, read_recording


class RecordingPolicy(Policy):
    """Passes everything to `inner` and writes its chunks to a file, line by line."""

    def __init__(self, inner: Policy, path: str | Path) -> None:
        """Begin the file at `path`; an existing one is replaced. Raises OSError."""
        self._inner = inner
        self._path = Path(path)
        self.name = inner.name
        self.uses_scene = inner.uses_scene
        self.camera_names = inner.camera_names
        self._path.write_text("", encoding="utf-8")
        self._write({"format": FORMAT, "policy": inner.name})

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) [px] that the recorded policy wants."""
        return self._inner.image_size

    @property
    def checkpoint(self) -> str:
        """The checkpoint of the recorded policy."""
        return self._inner.checkpoint

    def reset(self, instruction: str) -> None:
        """Begin a new episode. Raises InstructionError."""
        self._inner.reset(instruction)
        self._write({"instruction": instruction})

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the recorded policy's chunk and write it down. Raises what the recorded policy raises."""
        chunk = self._inner.infer(observation)
        self._write(chunk_to_dict(chunk))
        return chunk

    def ask(self, observation: Observation, question: str) -> Answer:
        """Return the recorded policy's answer, which is not written down. Raises what the recorded policy raises."""
        return self._inner.ask(observation, question)

    def close(self) -> None:
        """Close the recorded policy."""
        self._inner.close()

    def _write(self, data: dict[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data, allow_nan=False) + "\n")


class ReplayPolicy(Policy):
    """Plays the chunks of a recording in order, one per inference; after the last it says that the task is finished."""

    name = "replay"

    def __init__(self, episodes: tuple[Episode, ...], checkpoint: str = "", period_s: float = 0.2) -> None:
        """Play `episodes`; period_s [s] is that of the chunk which ends an episode."""
        self._episodes = episodes
        self._checkpoint = checkpoint
        self._period_s = period_s
        self._chunks: tuple[ActionChunk, ...] = ()
        self._position = 0

    @property
    def checkpoint(self) -> str:
        """Path of the recording."""
        return self._checkpoint

    def reset(self, instruction: str) -> None:
        """Begin the episode of this instruction. Raises InstructionError that lists what was recorded."""
        wanted = instruction.casefold().strip()
        matching = [e for e in self._episodes if e.instruction is not None and e.instruction.casefold() == wanted]
        for episode in matching + [e for e in self._episodes if e.instruction is None]:
            self._chunks, self._position = episode.chunks, 0
            return
        recorded = sorted({e.instruction for e in self._episodes if e.instruction is not None})
        raise InstructionError(f"no recording of {instruction!r}; valid are {', '.join(map(repr, recorded))}")

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the next recorded chunk with this observation's stamp, or one that terminates without moving."""
        if self._position >= len(self._chunks):
            return self._end(observation)
        chunk = self._chunks[self._position]
        self._position += 1
        return replace(chunk, stamp=observation.stamp)

    def _end(self, observation: Observation) -> ActionChunk:
        return ActionChunk(
            observation.stamp,
            ActionMode.EE_DELTA,
            DeltaReference.OBSERVED,
            self._period_s,
            (ActionStep(terminate=True),),
        )


OPTIONS = NoOptions


def create(config: PolicyConfig) -> ReplayPolicy:
    """Make a ReplayPolicy from the recording at config.checkpoint. Raises CheckpointError."""
    if not config.checkpoint:
        raise CheckpointError(
            "policy replay needs a recording: set checkpoint to a .jsonl file that RecordingPolicy wrote"
        )
    return ReplayPolicy(read_recording(config.checkpoint), config.checkpoint, config.period_s)
