# SPDX-License-Identifier: Apache-2.0
"""What the scripted operator records is what the controller was commanded, in the columns of the map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vla_core.observation_map.presets import load_map
from vla_core.robot import load_robot_config
from vla_policy.mapping.actions import decode_actions
from vla_training.bench.data.operator import Operator, OperatorSettings
from vla_training.data.bags.episode import INTERVENTION, image_key
from vla_training.data.lerobot.schema import ACTION, DONE, STATE, SUCCESS


@pytest.fixture(scope="module")
def operator():
    made = Operator(OperatorSettings(families=("pick",), max_steps=4))
    yield made
    made.close()


def test_an_episode_is_repeatable_and_holds_what_was_commanded(operator: Operator) -> None:
    episode = operator.run(3)
    commanded = operator._lockstep.setpoints[-1]
    columns = episode.columns
    assert set(columns) == {image_key("front"), STATE, ACTION, DONE, SUCCESS, INTERVENTION}
    assert columns[image_key("front")].shape == (4, 128, 160, 3)
    assert (episode.text.startswith("pick up the"), episode.success, columns[DONE].sum()) == (True, False, 1)
    again = operator.run(3).columns
    np.testing.assert_array_equal(again[ACTION], columns[ACTION])
    np.testing.assert_array_equal(again[image_key("front")], columns[image_key("front")])
    observation_map = load_map("rt1").for_robot(load_robot_config("fr3"))
    seen = replace(operator._lockstep.observe(), ee_position=columns[STATE][-1, :3].astype(float))
    seen = replace(seen, ee_quaternion_xyzw=columns[STATE][-1, 3:7] / np.linalg.norm(columns[STATE][-1, 3:7]))
    step = decode_actions(observation_map, columns[ACTION][-1], seen).steps[0]
    pose = operator._lockstep.controller.kinematics.fk(commanded.q)
    np.testing.assert_allclose(seen.ee_position + step.translation, pose.position, atol=1e-5)
    assert step.gripper == pytest.approx(commanded.gripper, abs=1e-6)
