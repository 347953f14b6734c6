# SPDX-License-Identifier: Apache-2.0
"""What a person at the controls sees: what keys and axes do, and a line about the arm."""

from __future__ import annotations

from typing import Any

from vla_operator.teleop.driver import Driver
from vla_operator.teleop.mapping import Mapping, Source

STATES = ("waiting", "holding", "tracking", "stopping", "EMERGENCY STOP")
_POLICY, _TRAJECTORY, _PERSON = 1, 2, 3  # OWNER_* of vla_msgs/ControllerStatus


def instructions(mapping: Mapping) -> str:
    """Return lines that say what the keys, buttons and axes of a mapping do."""
    rows = []
    if mapping.toggle is not None:
        rows.append((_name(mapping.toggle), "takes the arm, and gives it back; other keys move it while held"))
    if mapping.hold is not None:
        rows.append((_name(mapping.hold), "hold it: the deadman; let go: the arm stops and is given back"))
    for direction, sources in mapping.motion.items():
        rows.append((" ".join(_name(source, signed=True) for source in sources), direction))
    rows += [(_name(source), _ACTIONS[name]) for name, source in mapping.actions.items()]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows)


_ACTIONS = {
    "gripper": "opens or closes the gripper",
    "faster": "faster",
    "slower": "slower",
    "frame": "axes of the base or of the tool",
    "quit": "ends (Ctrl-C too)",
}


def describe(device: str, driver: Driver | None, status: Any) -> str:
    """Return one line of state; ``status``: the controller's latest vla_msgs/ControllerStatus, None before it."""
    if status is None:
        return "waiting for controller_node: does `vla up` run in this ROS domain?"
    p = status.ee_setpoint.position
    parts = [_owner(device, status), STATES[min(status.state, len(STATES) - 1)]]
    if driver is not None:
        parts.append(f"{driver.frame} axes, {100.0 * driver.speed:.0f} %")
    parts.append(f"tool {p.x:.3f} {p.y:.3f} {p.z:.3f} m")
    if status.reason:
        parts.append(str(status.reason))
    return " | ".join(parts)


def _owner(device: str, status: Any) -> str:
    if status.owner == _PERSON:
        return "YOU DRIVE" if status.device == device else f"{status.device} drives"
    others = {_POLICY: "the policy has the arm", _TRAJECTORY: "a trajectory has the arm"}
    return others.get(status.owner, "nobody drives")


def _name(source: Source, signed: bool = False) -> str:
    text = source.key or (f"button {source.button}" if source.button >= 0 else f"axis {source.axis}")
    return f"{'-' if source.scale < 0.0 else '+'}{text}" if signed else text
