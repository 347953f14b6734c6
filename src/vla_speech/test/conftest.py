# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of nodes, and the sounds: flite's voices, 16 kHz, 8 bits."""

from pathlib import Path

import numpy as np
import pytest
from vla_core.ros.testing import bench, module_bench, start_node  # noqa: F401
from vla_speech.sound import SAMPLE_RATE, read_sound

SOUNDS = Path(__file__).with_name("sounds")


@pytest.fixture
def sound():
    """Returns a sound by its name, with silence around it."""

    def load(name, before=0.6, after=1.2):
        silence = [np.zeros(round(seconds * SAMPLE_RATE), np.int16) for seconds in (before, after)]
        return np.concatenate([silence[0], read_sound(SOUNDS / f"{name}.wav"), silence[1]])

    return load
