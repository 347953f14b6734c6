# SPDX-License-Identifier: Apache-2.0
"""The scene network that ships, on pictures of the simulator; and that training lowers the loss."""

import numpy as np
import pytest
import torch
from vla_perception.scene.detector import SceneDetector
from vla_perception.scene.network import SceneNetwork, SceneNetworkConfig
from vla_sim.world.scene import BLOCKS, BOWL
from vla_training.scene.arm_states import ArmState
from vla_training.scene.measure import measure
from vla_training.scene.samples import NAMES, SceneSampler
from vla_training.scene.trainer import SceneData, SceneTrainSettings, train_scene

HOME = ArmState(np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785]), 0.08, None)


@pytest.fixture(scope="module")
def samples():
    with SceneSampler("fr3", [HOME], varied=False) as sampler:
        return [sampler.draw([5, index]) for index in range(24)]


def test_names_are_the_simulators():
    assert SceneDetector(threads=1).names == (*BLOCKS, BOWL) == NAMES


def test_the_shipped_network_places_objects_within_its_card(samples):
    report = measure(SceneDetector(threads=1), samples)
    assert report["median_mm"] < 8.0
    assert report["missed"]["share"] < 0.08
    assert report["invented"]["share"] < 0.1


def test_a_few_steps_of_training_lower_the_loss(samples):
    torch.manual_seed(0)
    network = SceneNetwork(SceneNetworkConfig(width=8, dilations=(1,)))
    data = SceneData.of(samples)
    losses = [loss for _, loss in train_scene(network, data, SceneTrainSettings(steps=12, batch=4))]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
