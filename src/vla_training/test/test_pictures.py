# SPDX-License-Identifier: Apache-2.0
"""What the cameras of an observation map see in lockstep, and a policy that needs them in an evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from vla_core.action import ActionChunk
from vla_core.observation_map.camera import Camera as MapCamera
from vla_core.observation_map.errors import ObservationMapError
from vla_core.observation_map.presets import load_map
from vla_perception.image.resizing import resize_to
from vla_policy.errors import ConfigurationError
from vla_policy.loading import policy_settings
from vla_policy.policy import Observation, Policy
from vla_sim.world.camera import Camera
from vla_sim.world.world import World
from vla_training.cli import main
from vla_training.evaluate import command
from vla_training.evaluate.command import EvalSettings, Evaluator
from vla_training.evaluate.lockstep import Lockstep
from vla_training.evaluate.pictures import Pictures


@pytest.fixture(scope="module")
def world() -> World:
    world = World("fr3")
    Lockstep(world).start()
    return world


@pytest.fixture(scope="module")
def renderer(world: World) -> Iterator[Camera]:
    with Camera(world) as camera:
        yield camera


def test_rt1_sees_through_its_map_what_it_always_saw(world: World, renderer: Camera) -> None:
    mapped = Lockstep(world, renderer, cameras=load_map("rt1").cameras).observe()
    plain = Lockstep(world, renderer, (128, 160)).observe()
    assert list(mapped.images) == ["front"]
    assert mapped.image.std() > 5
    np.testing.assert_array_equal(mapped.image, plain.image)
    np.testing.assert_array_equal(mapped.image, resize_to(renderer.render("front"), (128, 160)))


def test_every_camera_of_a_map_is_drawn_at_its_size(world: World, renderer: Camera) -> None:
    seen = Lockstep(world, renderer, cameras=load_map("openpi_droid").cameras).observe()
    assert {name: image.shape for name, image in seen.images.items()} == dict.fromkeys(
        ("front", "wrist"), (224, 224, 3)
    )
    assert not np.array_equal(seen.images["front"], seen.images["wrist"])
    assert seen.images["wrist"].std() > 5
    native = Lockstep(world, renderer, cameras=(MapCamera("wrist", topic="/camera/wrist/image_raw"),)).observe()
    np.testing.assert_array_equal(native.images["wrist"], renderer.render("wrist"))


def test_a_topic_that_is_not_simulated_is_refused_with_those_that_are() -> None:
    with pytest.raises(ObservationMapError, match=r"/side is not simulated; valid are .*camera/wrist/image_raw"):
        Pictures([MapCamera("side", topic="/side")], None)


class NeedsWrist(Policy):
    """Keeps what it sees, and never acts."""

    name = "needs_wrist"
    camera_names = ("wrist",)

    def __init__(self) -> None:
        self.seen: list[Observation] = []

    def reset(self, instruction: str) -> None: ...

    def infer(self, observation: Observation) -> ActionChunk:
        self.seen.append(observation)
        raise ValueError("seen enough")


def test_an_evaluation_gives_a_policy_the_cameras_of_its_map(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = NeedsWrist()
    monkeypatch.setattr("vla_policy.loading.create", lambda name, config: policy)
    monkeypatch.setattr(command, "TIME_LIMIT", 0.4)
    evaluator = Evaluator(EvalSettings(policy_settings("needs_wrist", "fr3", observation_map="openpi_libero")))
    evaluator.run(0)
    evaluator.close()
    assert list(policy.seen[0].images) == ["front", "wrist"]
    assert policy.seen[0].images["wrist"].std() > 5
    with pytest.raises(ConfigurationError, match="map rt1 has cameras front"):
        Evaluator(EvalSettings(policy_settings("needs_wrist", "fr3", observation_map="rt1")))


def test_a_map_that_is_wrong_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--map", "rt9", "--episodes", "1"]) == 2
    assert "unknown observation map 'rt9'; valid: gr00t" in capsys.readouterr().err
