# SPDX-License-Identifier: Apache-2.0
"""The scene that a policy gets is of the observation's time, or the observation is refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_policy.errors import ObservationError
from vla_policy.run.scene_buffer import LARGEST_GAP, SceneBuffer


def scene(number: int) -> dict[str, np.ndarray]:
    return {"red block": np.full(7, float(number))}


def test_before_the_first_state_the_observation_is_refused():
    with pytest.raises(ObservationError, match="no_scene"):
        SceneBuffer().at(1.0)


@given(st.floats(0.0, 10.0))
def test_the_nearest_state_is_given_while_it_is_recent(stamp):
    buffer = SceneBuffer()
    for number in range(21):
        buffer.add(0.05 * number, scene(number))
    if stamp > 1.0 + LARGEST_GAP:
        with pytest.raises(ObservationError, match=r"stale_scene: .* up to 0.25 s"):
            buffer.at(stamp)
    else:
        found = buffer.at(stamp)["red block"][0]
        assert abs(0.05 * found - min(stamp, 1.0)) <= 0.025 + 1e-9


def test_an_old_state_is_not_used_after_the_clock_stepped_back():
    buffer = SceneBuffer()
    buffer.add(100.0, scene(1))
    buffer.add(5.0, scene(2))
    assert buffer.at(5.0)["red block"][0] == 2.0
    with pytest.raises(ObservationError, match="stale_scene"):
        buffer.at(100.0)
