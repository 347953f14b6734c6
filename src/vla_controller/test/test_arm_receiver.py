# SPDX-License-Identifier: Apache-2.0
"""The arm's joint_trajectory_controller is asked for its parameters, and goals that others give it are noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from vla_controller.health.receiver import unfit, warnings

JOINTS = ("a", "b")
SHIPPED = {
    "joints": ["b", "a"],
    "command_interfaces": ["effort"],
    "interpolation_method": "splines",
    "interpolate_from_desired_state": False,
    "allow_nonzero_velocity_at_trajectory_end": False,
    "constraints.a.trajectory": 0.0,
}


def test_what_franka_ships_fits() -> None:
    assert unfit(SHIPPED, JOINTS) is None
    assert warnings(SHIPPED, JOINTS, timed=True) == []
    assert unfit({}, JOINTS) is None
    assert warnings({}, JOINTS, timed=False) == []


@pytest.mark.parametrize(
    ("change", "remedy"),
    [({"joints": ["a", "c"]}, "set its joints"), ({"interpolation_method": "none"}, "set it to splines")],
)
def test_what_cannot_work_is_refused_with_the_remedy(change: dict[str, object], remedy: str) -> None:
    refusal = unfit({**SHIPPED, **change}, JOINTS)
    assert refusal is not None
    assert refusal.name == "unfit_controller"
    assert remedy in refusal.reason


def test_what_is_rough_is_told_with_the_remedy() -> None:
    (start,) = warnings(SHIPPED, JOINTS, timed=False)
    assert "set it to true" in start
    (steps,) = warnings(
        {**SHIPPED, "command_interfaces": ["position"], "interpolate_from_desired_state": True}, JOINTS, timed=False
    )
    assert "synchronise" in steps
    (tight,) = warnings({**SHIPPED, "constraints.a.trajectory": 0.02}, JOINTS, timed=True)
    assert "constraints.a.trajectory" in tight


def test_parameters_and_goals_of_a_controller_over_dds(arm, start: Callable) -> None:
    from action_msgs.msg import GoalStatus, GoalStatusArray
    from rclpy.node import Node
    from rclpy.qos import DurabilityPolicy, QoSProfile

    node = Node("fr3_arm_controller", context=arm.context)
    node.declare_parameter("interpolation_method", "splines")
    node.declare_parameter("joints", ["x", "y"])
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    topic = "/fr3_arm_controller/follow_joint_trajectory/_action/status"
    statuses = node.create_publisher(GoalStatusArray, topic, latched)
    arm._executor.add_node(node)
    try:
        start()
        arm.wait_for_state(1)
        arm.instruct("a")

        def interface() -> str:
            rows = [s for d in arm.diagnostics for s in d.status if s.name == "controller_node: arm interface"]
            return rows[-1].message if rows else ""

        arm.wait(lambda: "moves the joints x, y" in interface())
        arm.chunk((0.02, 0.0, 0.0))
        arm.wait(lambda: any(r.name == "unfit_controller" for r in arm.statuses[-1].refusals))
        statuses.publish(GoalStatusArray(status_list=[GoalStatus(status=GoalStatus.STATUS_EXECUTING)]))
        arm.wait(lambda: "somebody else gave" in interface())
        arm.chunk((0.02, 0.0, 0.0))
        arm.wait(lambda: any(r.name == "other_goal" for r in arm.statuses[-1].refusals))
        assert arm.speed() == 0.0
    finally:
        arm._executor.remove_node(node)
        node.destroy_node()
