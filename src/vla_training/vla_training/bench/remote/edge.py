# SPDX-License-Identifier: Apache-2.0
"""What an observation costs when it travels as image, as JPEG or as image tokens: bytes both ways, and milliseconds.

Weights do not matter for time and size, so fresh ones are used. The picture is one of the simulator.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vla_core.observation_map.observation_map import ObservationMap
from vla_perception.image.resizing import resize_to
from vla_policy.edge.policy import encode_jpeg
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.registry import create
from vla_policy.remote.codecs import openpi
from vla_policy.rt1.config import NAMED_CONFIGS, RT1Config
from vla_policy.rt1.network import RT1Network
from vla_policy.serve.command import bound_map
from vla_policy.serve.requests import decode_jpeg
from vla_sim.world.camera import Camera
from vla_sim.world.world import World

from vla_training.bench.remote.robots import INSTRUCTION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATE_BYTES = 8 * 4
CONFIGS = {"rt1_lite": "lite", "rt1_b3": "b3"}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return `edge`: for each network and way the bytes to and from the server, and [ms] on either side."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with closing(Camera(world := World(arguments.robot))) as camera:
        world.step(0.1)
        picture = camera.render()
    found["rt2_small"] = _rt2(picture, bound_map("", "rt2", arguments.robot), arguments)
    for name, config in CONFIGS.items():
        found[name] = _network(NAMED_CONFIGS[config], picture, bound_map("", "rt1", arguments.robot), arguments.rounds)
    for name, ways in found.items():
        for way, row in ways.items():
            sides = f"robot {row['robot_ms']:.2f} ms, server {row['server_ms']:.2f} ms"
            print(f"  {name} {way:8} {row['bytes_up']:7} B up, {row['bytes_down']} B down, {sides}", flush=True)
    return {"edge": found}


def _rt2(
    picture: NDArray[np.uint8], observation_map: ObservationMap, arguments: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Return the shipped RT-2's rows; all of it is on the server."""
    camera = observation_map.reference
    policy = create("rt2", PolicyConfig(robot=arguments.robot, threads=1))
    image = resize_to(picture, camera.height_width or policy.image_size or (128, 160))
    jpeg = encode_jpeg(image)
    policy.reset(INSTRUCTION)
    pose = np.array([0.5, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0])
    whole = (Observation(float(i), {camera.name: np.roll(image, i, 1)}, (), np.zeros(0), *pose, 0.08) for i in count())
    act_ms = _median_ms(lambda: policy.infer(next(whole)), arguments.rounds)
    jpeg_ms = _median_ms(lambda: encode_jpeg(image), arguments.rounds)
    unpack_ms = _median_ms(lambda: decode_jpeg(jpeg, camera), arguments.rounds)
    policy.close()
    down = len(_reply(8))
    return {"image": _row(image, down, 0.0, act_ms), "jpeg": _row(jpeg, down, jpeg_ms, unpack_ms + act_ms)}


def _network(
    config: RT1Config, picture: NDArray[np.uint8], observation_map: ObservationMap, rounds: int
) -> dict[str, dict[str, float]]:
    image = resize_to(picture, config.image_size)
    network = RT1Network(config, pretrained=False).eval()
    condition = torch.zeros(1, config.instruction_dim)
    camera = replace(observation_map.reference, size=config.image_size)

    def see() -> Tensor:
        return network.frame_tokens(network.early_features(torch.from_numpy(image)[None]), condition)

    def act() -> Tensor:
        return network.decode(window, proprio)

    with torch.inference_mode():
        window = see()[:, None].repeat(1, config.history, 1, 1)
        proprio = torch.zeros(1, config.history, len(config.proprio)) if config.proprio else None
        see_ms, act_ms = _median_ms(see, rounds), _median_ms(act, rounds)
        jpeg = encode_jpeg(image)
        jpeg_ms = _median_ms(lambda: encode_jpeg(image), rounds)
        unpack_ms = _median_ms(lambda: decode_jpeg(jpeg, camera), rounds)
        tokens = window[0, 0].numpy().astype(np.float16)
    down = len(_reply(config.action_dims))
    return {
        "image": _row(image, down, 0.0, see_ms + act_ms),
        "jpeg": _row(jpeg, down, jpeg_ms, unpack_ms + see_ms + act_ms),
        "encoded": _row(tokens, down, see_ms, act_ms),
    }


def _row(sent: NDArray[Any] | bytes, down: int, robot_ms: float, server_ms: float) -> dict[str, float]:
    sides = {"robot_ms": round(robot_ms, 3), "server_ms": round(server_ms, 3)}
    return {"bytes_up": len(_message(sent)), "bytes_down": down, **sides}


def _message(sent: NDArray[Any] | bytes) -> bytes:
    state = np.zeros(STATE_BYTES // 4, np.float32)
    return openpi.pack({"observation/image": sent, "observation/state": state, "prompt": INSTRUCTION, "vla/stamp": 0.0})


def _reply(dimensions: int) -> bytes:
    """Return a reply of the server's form."""
    row = np.zeros((1, dimensions), np.float32)
    names = [f"dimension_{i}" for i in range(dimensions)]
    timing = {"infer_ms": 1.0, "wait_ms": 1.0, "batch": 1}
    tokens = {"tokens": row.astype(np.uint16), "token_probabilities": row, "dimension_names": names}
    return openpi.pack({"actions": row, "server_timing": timing, **tokens})


def _median_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU time of one thread, which other work on the machine hardly changes."""
    work()
    spent = []
    for _ in range(rounds):
        begun = time.thread_time()
        work()
        spent.append(1e3 * (time.thread_time() - begun))
    return statistics.median(spent)


def draw(axes: Axes, result: Mapping[str, Any]) -> None:
    """Draw the bytes of an observation by way."""
    edge = result["edge"]
    names = ("image", "jpeg", "encoded")
    for index, (name, ways) in enumerate(edge.items()):
        there = [i for i, way in enumerate(names) if way in ways]
        sizes = [ways[names[i]]["bytes_up"] / 1e3 for i in there]
        bars = axes.bar([i + 0.28 * index for i in there], sizes, 0.26, label=name.replace("_", " "))
        axes.bar_label(bars, fmt="%.3g", fontsize=8)
    axes.set_xticks([i + 0.28 for i in range(len(names))], names)
    axes.set(ylabel="one observation on its way [kB]", yscale="log", title="what travels")
    axes.legend()
