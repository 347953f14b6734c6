# SPDX-License-Identifier: Apache-2.0
"""Makes the controller node and ticks it until it may end."""

from __future__ import annotations

import gc

import numpy as np
from vla_core.robot import RobotConfigError
from vla_core.settings import SettingsError

from vla_controller.ros import pace
from vla_controller.ros.node import ControllerNode, OtherControllerError
from vla_controller.ros.process import Ending

UNUSABLE = (RobotConfigError, SettingsError, OtherControllerError)


def make() -> ControllerNode:
    """Return the node. Raises SettingsError for a bad parameter, RobotConfigError for a bad description."""
    return ControllerNode()


def serve(node: ControllerNode, ending: Ending) -> None:
    """Tick until a signal comes and the arm is at rest; raises OtherControllerError when the arm has a controller."""
    ending.then(node.begin_closing)
    priority = pace.ask_for_real_time() if node.settings.realtime else "normal priority"
    node.refuse_a_second_controller()
    node.connect()
    pace.settle_memory()
    _warm_up(node, f"{node.settings.rate:g} Hz to {node.arm_topic} ({node.settings.output}), {priority}")
    sim_time = node.get_parameter("use_sim_time").value
    pace.run(node, node.get_clock() if sim_time else None, 1.0 / node.settings.rate, node.tick, node.begin_closing)


def _warm_up(node: ControllerNode, text: str) -> None:
    """Do now what is slow only the first time (20 ms each): a log line that may be throttled, percentiles."""
    node.get_logger().warning("", throttle_duration_sec=1.0, skip_first=True)
    node.get_logger().info(text)
    np.percentile([0.0, 1.0], (50, 99))


def release_memory() -> None:
    """Let go of what settle_memory kept."""
    gc.unfreeze()
    gc.collect()
