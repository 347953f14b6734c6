# SPDX-License-Identifier: Apache-2.0
"""The faults of `vla bench faults`, as data: each with what is promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vla_demo.faults.case import Case, Clock, Recovery

TOLD = Recovery.INSTRUCTION
GONE = "operator_gone"
JOINT_STATES = "joint_state_stale|joint state is .* old|joint states are .* away"
WATCHDOG_S = 0.5  # [s] joint_state_timeout
LEASE_S = 1.0  # [s] operator_timeout


def _camera() -> list[Case]:
    place, blind = "camera", "image|camera|observation"
    stops = [
        Case(place, "off", rests=True, after_budget=True, said="no image received|observation"),
        Case(place, "stuck", rests=True, after_budget=True, said="frozen|repeats|old"),
        Case(place, "garbage", rests=True, after_budget=True, said=blind),
        Case(place, "garbage:bytes", rests=True, after_budget=True, said=blind),
        Case(place, "wrong:truncated", rests=True, after_budget=True, said=blind),
        Case(place, "wrong:old", rests=True, after_budget=True, said="old"),
        Case(place, "wrong:future", rests=True, after_budget=True, said="ahead|future|in step|clock"),
        Case(place, "delayed", rests=True, after_budget=True, said="old|late|age", magnitude=2.0, hold=2.5),
    ]
    looks = ("rotated", "black", "white", "noisy", "torn", "colours", "small", "unstamped")
    lives = [Case(place, f"wrong:{look}") for look in looks]
    passes = [Case(place, kind) for kind in ("slow", "intermittent", "duplicated", "reordered")]
    return [*stops, *lives, *passes, Case(place, "delayed", magnitude=0.2)]


def _joint_states() -> list[Case]:
    place, doubt = (
        "joint_states",
        "joint_jump|joint_range|non_finite|joint_states_disagree|not_following|joint_state_stale",
    )
    silent = [
        Case(place, fault, rests=True, within=WATCHDOG_S + 0.5, said=JOINT_STATES, recovery=TOLD)
        for fault in ("off", "stuck", "garbage:bytes", "wrong:missing", "wrong:renamed", "wrong:old")
    ]
    doubtful = [
        Case(place, fault, rests=True, said=doubt, recovery=TOLD, hold=2.0)
        for fault in ("wrong:swapped", "wrong:nan", "wrong:zeros", "wrong:degrees", "wrong:reversed")
    ]
    others = [
        Case(place, "wrong:biased", said=f"{doubt}|arm_flees", recovery=Recovery.CONFIRM, hold=2.0),
        Case(place, "wrong:short"),
        Case(place, "garbage", rests=True, within=WATCHDOG_S + 0.5, said=doubt, recovery=TOLD, hold=2.0),
        Case(place, "wrong:drifting", recovery=Recovery.CONFIRM, hold=2.0),
        Case(place, "wrong:trembling", recovery=TOLD),
        Case(place, "wrong:fast", recovery=TOLD),
        Case(place, "wrong:future", recovery=TOLD),
        Case(place, "wrong:unstamped", recovery=TOLD),
        Case(place, "slow", said=JOINT_STATES, recovery=TOLD, hold=2.5),
        Case(place, "delayed", recovery=TOLD),
        Case(place, "delayed", magnitude=0.05),
        *(Case(place, kind) for kind in ("intermittent", "duplicated", "reordered")),
    ]
    return [*silent, *doubtful, *others]


def _observation() -> list[Case]:
    place = "observation"
    stops = [
        Case(place, fault, rests=True, after_budget=True, said="observation")
        for fault in ("off", "stuck", "garbage:bytes", "wrong:no_images", "wrong:nan", "wrong:old", "wrong:no_state")
    ]
    return [
        *stops,
        Case(place, "garbage", said="observation"),
        Case(place, "wrong:black"),
        Case(place, "wrong:future"),
        Case(place, "delayed", rests=True, after_budget=True, said="old", magnitude=2.0, hold=2.5),
        *(Case(place, kind) for kind in ("slow", "intermittent", "duplicated", "reordered")),
    ]


def _chunks() -> list[Case]:
    place = "chunks"
    refused = {
        "huge": "step_too_large",
        "nan": "non_finite",
        "other_instruction": "wrong_instruction",
        "other_frame": "wrong_frame",
        "empty": "empty_chunk",
        "many": "too_many_steps",
        "no_period": "bad_period",
        "old": "chunk_too_old|out_of_order",
        "future": "chunk_from_future",
    }
    stops = [Case(place, f"wrong:{name}", rests=True, after_budget=True, said=said) for name, said in refused.items()]
    return [
        Case(place, "off", rests=True, after_budget=True),
        Case(place, "garbage:bytes", rests=True, after_budget=True),
        Case(place, "stuck", rests=True, after_budget=True, said="out_of_order"),
        Case(place, "garbage", rests=True, after_budget=True, said="refus|wrong_|bad_|non_finite|chunk_"),
        *stops,
        Case(place, "wrong:reversed"),
        Case(place, "wrong:random"),
        Case(place, "slow"),
        Case(place, "delayed", magnitude=0.3),
        Case(place, "delayed", rests=True, after_budget=True, said="chunk_too_old", magnitude=2.0, hold=2.5),
        *(Case(place, kind) for kind in ("intermittent", "duplicated", "reordered")),
    ]


def _setpoints() -> list[Case]:
    place, lost = "setpoints", "not_following|refused"
    silent = [
        Case(place, f"wrong:{name}", rests=True, said="trajectory refused|not_following", recovery=TOLD)
        for name in ("nan", "far", "short", "other_joints")
    ]
    return [
        Case(place, "off", rests=True, said="not_following", recovery=TOLD, hold=3.0),
        Case(place, "stuck", recovery=TOLD, arm=False),  # without stamps it is executed again and again
        Case(place, "garbage:bytes", rests=True, said=lost, recovery=TOLD),
        Case(place, "garbage", rests=True, said=lost, recovery=TOLD),
        *silent,
        Case(place, "wrong:empty", said="", recovery=TOLD),
        Case(place, "wrong:old", recovery=TOLD, arm=False),  # likewise
        Case(place, "wrong:future", recovery=TOLD, arm=False),
        Case(place, "wrong:unstamped", recovery=TOLD, arm=False),
        Case(place, "wrong:biased", said="not_following", recovery=TOLD, arm=False),
        Case(place, "slow", recovery=TOLD, arm=False),
        Case(place, "delayed", magnitude=0.05, arm=False),
        Case(place, "delayed", recovery=TOLD, arm=False),
        Case(place, "intermittent", magnitude=0.1, arm=False),
        Case(place, "duplicated"),
        Case(place, "reordered", recovery=TOLD, arm=False),
        Case("gripper", "off"),
        Case("gripper", "garbage"),
        Case("gripper", "wrong:nan"),
    ]


def _operator() -> list[Case]:
    gone = "operator_gone|instruction_lost"
    return [
        Case("heartbeat", "off", rests=True, within=LEASE_S + 0.5, said="operator_gone", recovery=TOLD, hold=2.5),
        Case("heartbeat", "wrong:sequence_ahead", rests=True, within=LEASE_S + 1.0, said=gone, recovery=TOLD, hold=2.5),
        Case("heartbeat", "garbage", said="", recovery=TOLD, hold=2.5),
        *(Case("heartbeat", kind) for kind in ("delayed", "intermittent", "duplicated", "wrong:sequence_back")),
        Case("instruction", "off", rests=True, within=LEASE_S + 1.0, said=gone, recovery=TOLD, hold=2.5),
        Case("instruction", "wrong:unknown_kind", rests=True, said="stop", recovery=TOLD),
        Case("instruction", "wrong:sequence_back", said="instruction_not_newer", recovery=TOLD, hold=2.5),
        Case("instruction", "garbage", recovery=TOLD, hold=2.5),
        *(Case("instruction", kind, recovery=TOLD) for kind in ("duplicated", "delayed")),
        *(Case("commands", kind, recovery=TOLD) for kind in ("off", "garbage", "garbage:bytes", "duplicated")),
        Case("operator", "stop", rests=True, said="stop", recovery=TOLD),
        Case("operator", "estop", rests=True, said="emergency stop", recovery=Recovery.RESET),
        Case("operator", "estop, state disk full", rests=True, said="will not outlive", recovery=Recovery.RESET),
        *(
            Case("operator", f"{what}, {node}_node killed", rests=True, recovery=recovery, hold=4.0)
            for node in ("instruction", "camera")
            for what, recovery in (("stop", TOLD), ("estop", Recovery.RESET))
        ),
        Case("operator", "estop, controller_node killed", said="still latched", recovery=Recovery.RESTART),
        Case("ee_pose", "off", said="tool pose|ee_pose|observation"),
        *(Case("ee_pose", fault) for fault in ("stuck", "wrong:nan", "wrong:moved", "wrong:old", "delayed", "garbage")),
    ]


def _processes() -> list[Case]:
    node, again = "process {}_node".format, Recovery.RESTART
    return [
        Case("process robot_state_publisher", "stopped", hold=4.0),
        Case(node("policy"), "stopped", rests=True, after_budget=True),
        Case(node("camera"), "stopped", rests=True, after_budget=True, said="observation"),
        Case(node("controller"), "stopped", rests=True, recovery=TOLD),
        Case(node("simulator"), "stopped", said=JOINT_STATES, recovery=TOLD),
        Case(node("instruction"), "stopped", rests=True, within=LEASE_S + 0.5, said=GONE, recovery=TOLD, hold=2.5),
        Case(node("fault"), "stopped", rests=True, recovery=TOLD),
        Case(node("camera"), "killed", rests=True, after_budget=True, said="camera_node is restarted", hold=5.0),
        Case(
            node("instruction"),
            "killed",
            rests=True,
            within=LEASE_S + 0.5,
            said="instruction_node is restarted",
            recovery=TOLD,
            hold=5.0,
        ),
        Case(node("policy"), "killed", said="policy_node is required", recovery=again),
        Case(node("controller"), "killed", said="controller_node is required", recovery=again),
        Case(node("simulator"), "killed", said="simulator_node is required", recovery=again),
        Case("machine", "busy", recovery=TOLD, hold=3.0),
        Case(node("policy"), "without memory", recovery=again, hold=2.5),
        Case(node("camera"), "without memory", recovery=TOLD, hold=2.5),
        Case(node("controller"), "without disk", hold=1.5),
        Case(node("policy"), "without disk", hold=1.5),
    ]


def _clocks() -> list[Case]:
    made = [
        Case("clock", "off", rests=True, recovery=TOLD),
        Case("clock", "stuck", rests=True, recovery=TOLD),
        Case("clock", "wrong:forward", rests=True, said="clock", recovery=TOLD),
        Case("clock", "wrong:back", rests=True, said="clock", recovery=TOLD),
        Case("clock", "delayed", magnitude=0.2, recovery=TOLD),
        Case("clock", "intermittent", recovery=TOLD),
        Case("clock", "reordered", recovery=TOLD),
    ]
    return [replace(case, clock=Clock.SIMULATED) for case in made]


CASES: tuple[Case, ...] = (
    *_camera(),
    *_joint_states(),
    *_observation(),
    *_chunks(),
    *_setpoints(),
    *_operator(),
    *_processes(),
    *_clocks(),
)


class UnknownFaultError(ValueError):
    """No fault has that name; the text says which there are."""


def select(words: Sequence[str]) -> tuple[Case, ...]:
    """Return the cases whose names have one of `words` in them; none: all. Raises UnknownFaultError."""
    for word in words:
        if not any(word in case.name for case in CASES):
            places = ", ".join(sorted({case.place for case in CASES}))
            raise UnknownFaultError(f"no fault is called {word!r}; valid: parts of names as 'camera off', of {places}")
    return tuple(case for case in CASES if not words or any(word in case.name for word in words))
