# SPDX-License-Identifier: Apache-2.0
"""`vla serve` as a process: the shipped RT-1 over the network is the one in process, and a signal ends it in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.mapping.inputs import encode_observation
from vla_policy.policy import Observation, PolicyConfig
from vla_policy.registry import create
from vla_policy.serve.command import main
from vla_policy.serve.process import serving_process
from vla_policy.serve.testing import ask, client

INSTRUCTION = "pick up the red block"


def observations(count: int) -> Iterator[Observation]:
    random = np.random.default_rng(3)
    for index in range(count):
        image = random.integers(0, 256, (128, 160, 3), dtype=np.uint8)
        position, width = random.uniform([0.3, -0.3, 0.1], [0.6, 0.3, 0.5]), float(random.uniform(0.0, 0.08))
        quaternion = np.array([1.0, 0.0, 0.0, 0.0])
        yield Observation(0.2 * index, {"front": image}, (), np.zeros(0), position, quaternion, width)


def test_a_served_rt1_is_the_one_in_process() -> None:
    observation_map = load_map("rt1").for_robot(load_robot_config("fr3"))
    local = create("rt1", PolicyConfig(robot="fr3", threads=1))
    local.reset(INSTRUCTION)
    with serving_process("rt1", "--threads", "1") as address, client(int(address.rsplit(":", 1)[1])) as connection:
        for seen in observations(5):
            inputs = encode_observation(observation_map, seen, INSTRUCTION)
            answer, chunk = ask(connection, {**inputs, "vla/stamp": seen.stamp}), local.infer(seen)
            np.testing.assert_array_equal(answer["tokens"], chunk.tokens)
            assert chunk.token_probabilities is not None
            np.testing.assert_allclose(answer["token_probabilities"], chunk.token_probabilities, rtol=1e-4)
            assert tuple(answer["dimension_names"]) == chunk.dimension_names
            np.testing.assert_allclose(answer["actions"][0, :3], chunk.steps[0].translation, atol=1e-7)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nobody",), "'nobody' is unknown; valid are"),
        (("rt1", "--map", "nowhere"), "nowhere"),
        (("rt1", "--robot", "r2d2"), "r2d2"),
        (("expert",), "give --map"),
        (("rt1", "--checkpoint", "nowhere"), "shipped are"),
        (("rt1", "--port", "70000"), "0 to 65535"),
        (("rt1", "--token-file", "nowhere"), "token_file nowhere"),
        (("rt1", "--tls-cert", "nowhere"), "tls_key"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert text in said
    assert said.count("\n") == 1
