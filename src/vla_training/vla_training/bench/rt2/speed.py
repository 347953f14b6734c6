# SPDX-License-Identifier: Apache-2.0
"""Time of one RT-2 action: this decoder against `generate` of transformers on the same model, and against RT-1."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_policy.action.space import ActionSpace
from vla_policy.policy import Observation, Policy, PolicyConfig
from vla_policy.rt1.policy import create as create_rt1
from vla_policy.rt2.decoding.cached_model import CachedModel
from vla_policy.rt2.decoding.constraint import LegalBins
from vla_policy.rt2.decoding.decode import ActionDecoder
from vla_policy.rt2.vocabulary import ActionVocabulary

from vla_training.bench.rt1 import Way, time_in_turns
from vla_training.bench.rt2.drive import SIZE, Drive, guessing
from vla_training.bench.rt2.shapes import SHAPES, Subject

OURS = "constrained"
INSTRUCTION = "pick up the red block"
PICTURES = 8  # taken in turns, so that no two ticks see the same one
Inputs = Mapping[str, Tensor]
Source = Callable[[int], Inputs]  # picture's number to a processor's output


def ways(subject: Any, pictures: Source, device: str, consecutive: int = 0, mode: str = "greedy") -> dict[str, Way]:
    """What makes one whole action, or part of it: `subject` has a model, an action space and a vocabulary.

    The first is ours, without guessing the last action, which random weights would make look better or worse than it
    is; the ones after it change one thing. consecutive: number of pictures where they follow each other as a robot
    sees them, so that guessing can be timed; 0 where they do not. mode: how ours decodes.
    """
    model, legal, pictures = subject.model, LegalBins(subject.action_space), functools.cache(pictures)
    dims = len(legal.sizes)

    def ours(mass: str = "first", pictures: Source = pictures, draft: bool = False, compile: bool = False) -> Way:
        runner = CachedModel(model, compile=compile)
        decoder = ActionDecoder(subject, subject, legal, mode, mass=mass, draft=draft, runner=runner)
        turn = _turns(pictures, consecutive)
        return _synchronised(lambda: decoder.decode(next(turn)), device)

    def plain(**options: Any) -> Way:
        turn = _turns(pictures, consecutive)
        return _synchronised(
            lambda: model.generate(**next(turn), max_new_tokens=dims, min_new_tokens=dims, do_sample=False, **options),
            device,
        )

    def masked(_: int, ids: Tensor) -> list[int]:
        dimension = min(len(ids) - length, dims - 1)
        return list(subject.vocabulary.ids[: legal.sizes[dimension]])

    length = pictures(0)["input_ids"].shape[1]
    runner, turn = CachedModel(model), _turns(pictures, consecutive)
    found = {
        OURS: ours(),
        "constrained_mass_none": ours("none"),
        "constrained_mass_all": ours("all"),
        "same_picture_again": ours(pictures=lambda _: pictures(0)),
        "same_picture_guessed": ours(pictures=lambda _: pictures(0), draft=True),
        "generate": plain(),
        "generate_with_the_mask": plain(prefix_allowed_tokens_fn=masked),
        "prompt_alone": _synchronised(lambda: runner.prefill(next(turn)), device),
    }
    if consecutive:
        found["constrained_guessing"] = ours(draft=True)
    if device != "cpu":
        found["constrained_compiled"] = ours(compile=True)
    return found


def _turns(pictures: Source, count: int = 0) -> Iterator[Inputs]:
    return itertools.cycle([pictures(number) for number in range(count or PICTURES)])


def _synchronised(way: Way, device: str) -> Way:
    """A way that waits for a GPU to end."""

    def wait() -> object:
        result = way()
        torch.cuda.synchronize()
        return result

    return way if device == "cpu" else wait


def measure_shape(subject: Subject, rounds: int, device: str, name: str) -> dict[str, Any]:
    """Times of one named shape with random weights, the text behind the picture and before it."""
    layouts = {"picture_first": False, "text_first": True}
    result: dict[str, Any] = {"image_tokens": SHAPES[name].image_tokens}
    for layout, text_first in layouts.items():

        def pictures(seed: int, text_first: bool = text_first) -> Inputs:
            return subject.inputs(seed, text_first=text_first)

        result[layout] = _timed(ways(subject, pictures, device), rounds)
        if subject.shape.kind == "paligemma":
            break  # always has its picture first
    return result | _size(subject.model, subject.inputs(0))


def measure_drive(drive: Drive, rounds: int, device: str) -> dict[str, Any]:
    """Times of a trained RT-2 on what it sees while it acts, its processor's part left out."""
    model, info = drive.checkpoint.backend.model, drive.checkpoint.info
    trained = Trained(model, info.action_space, info.vocabulary)
    timed = _timed(ways(trained, drive.inputs, device, len(drive.observations), info.decode), rounds)
    return {"picture_first": timed, "guessing": guessing(drive), **_size(model, drive.inputs(0))}


@dataclass(frozen=True, slots=True)
class Trained:
    """What `ways` asks for, of a checkpoint."""

    model: Any
    action_space: ActionSpace
    vocabulary: ActionVocabulary


def random_rt2(subject: Subject) -> Way:
    """One action of random weights after the other."""
    turn = _turns(subject.inputs)
    decoder = ActionDecoder(subject, subject, LegalBins(subject.action_space), draft=False)
    return lambda: decoder.decode(next(turn))


def acting(policy: Policy) -> Way:
    """One action of a policy after the other, from picture to chunk."""
    policy.reset(INSTRUCTION)
    observations = _observations(policy.image_size or SIZE)
    return lambda: policy.infer(next(observations))


def compare_rt1(rt2: Way, rounds: int, robot: str) -> dict[str, Any]:
    """An autoregressive RT-2, a pass for every number, in turns with the single pass of the shipped RT-1."""
    rt1 = create_rt1(PolicyConfig(robot=robot))
    timings = time_in_turns({"rt1_one_pass": acting(rt1), "rt2_autoregressive": rt2}, rounds, "rt1_one_pass")
    return {
        "rt1_checkpoint": Path(rt1.checkpoint).name,
        "timings": {name: asdict(timing) for name, timing in timings.items()},
    }


def _observations(size: tuple[int, int]) -> Iterator[Observation]:
    """Pictures (height, width) [px] at the policies' own pace, so that RT-1 keeps the tokens of earlier ones."""
    rest = np.array([0.0, 0.0, 0.0, 1.0])
    for number in itertools.count():
        image = _picture(number % PICTURES, size)
        yield Observation(0.2 * number, {"front": image}, (), np.zeros(0), np.array([0.5, 0.0, 0.4]), rest, 0.08)


def _picture(seed: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def _timed(compared: Mapping[str, Way], rounds: int) -> dict[str, Any]:
    return {name: asdict(timing) for name, timing in time_in_turns(compared, rounds, OURS).items()}


def _size(model: Any, inputs: Inputs) -> dict[str, Any]:
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "prompt_tokens": int(inputs["input_ids"].shape[1]),
        "vocabulary": int(model.get_output_embeddings().weight.shape[0]),
        "dtype": str(model.dtype).removeprefix("torch."),
    }
