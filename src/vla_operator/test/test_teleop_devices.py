# SPDX-License-Identifier: Apache-2.0
"""Keys, gamepads and mappings: what they are read as, and which mistakes are refused by name."""

from __future__ import annotations

import math
import os
import pty
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vla_core.config_file import config_names
from vla_core.rotation import Pose, from_rotation_vector, multiply, rotation_between
from vla_core.settings import SettingsError
from vla_operator.teleop.driver import Driver
from vla_operator.teleop.follow import PoseClutch
from vla_operator.teleop.gamepad import Gamepad
from vla_operator.teleop.keys import KEY_TIME, QUIET_TIME, Keys
from vla_operator.teleop.mapping import DIRECTIONS, Mapping, Source, load_mapping, read_mapping
from vla_operator.teleop.reading import DeviceError, DeviceLostError, Reading
from vla_operator.teleop.screen import describe, instructions
from vla_operator.teleop.terminal import Terminal

GOOD = {"format": "vla_teleop/1", "hold": {"button": 4}, "motion": {"linear.x": [{"axis": 1, "scale": -1.0}]}}


def test_every_mapping_that_ships_is_valid_and_names_its_keys() -> None:
    names = config_names("teleop")
    assert {"keyboard", "gamepad", "joy", "spacemouse"} <= set(names)
    for name in names:
        mapping = load_mapping(name)
        assert set(mapping.motion) == set(DIRECTIONS)
        assert len(instructions(mapping).splitlines()) >= 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "vla_teleop/1"),
        ({"hold": {}}, "one of axis, button, key"),
        ({"hold": {"button": -1}}, "0 to 63"),
        ({"hold": {"button": True}}, "0 to 63"),
        ({"toggle": {"key": "t"}}, "one deadman"),
        ({"motion": {"linear.w": {"axis": 0}}}, "linear.w"),
        ({"motion": {"linear.x": {"axis": 0, "scale": 7}}}, "motion.linear.x.scale"),
        ({"motion": {"linear.x": {"key": 3}}}, "quotes"),
        ({"actions": {"jump": {"button": 1}}}, "jump"),
        ({"frame": "world"}, "base, tool"),
        ({"dead_zone": 1.0}, "dead_zone"),
        ({"speed": 1.0}, "speed"),
    ],
)
def test_a_mapping_with_a_mistake_is_refused_by_its_entry(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_mapping({**GOOD, **change})


def test_an_unknown_mapping_lists_the_valid_ones() -> None:
    with pytest.raises(SettingsError, match="gamepad, joy, keyboard, spacemouse"):
        load_mapping("wheel")
    with pytest.raises(SettingsError, match="needed"):
        read_mapping(["no table"])


@given(st.lists(st.floats(), min_size=8, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_whatever_a_device_says_is_a_deflection_of_at_most_one(axes: list[float], buttons: list[bool]) -> None:
    for name in ("gamepad", "joy", "spacemouse"):
        values = MAPPINGS[name].deflections(Reading(tuple(axes), tuple(buttons)))
        assert all(-1.0 <= value <= 1.0 for value in values)


MAPPINGS = {name: load_mapping(name) for name in ("keyboard", "gamepad", "joy", "spacemouse")}


def test_a_device_at_rest_moves_nothing_though_it_lacks_axes() -> None:
    for name, mapping in MAPPINGS.items():
        nothing = mapping.deflections(Reading())
        assert not any(nothing), name
    triggers = (0.0, 0.05, -1.0, -0.05, 0.0, -1.0)
    assert not any(MAPPINGS["gamepad"].deflections(Reading(triggers)))


def test_a_stick_begins_at_the_dead_zone_and_ends_at_one() -> None:
    source = Source(axis=0)
    at = [source.value(Reading((x,)), 0.2) for x in (0.0, 0.2, 0.6, 1.0, -1.0)]
    assert at == pytest.approx([0.0, 0.0, 0.5, 1.0, -1.0])


def driver(mapping: Mapping) -> Driver:
    return Driver(mapping, linear_speed=0.2, angular_speed=1.0, speed=1.0)


def test_only_a_held_deadman_moves_and_what_is_held_at_the_start_toggles_nothing() -> None:
    pad = driver(MAPPINGS["gamepad"])
    stick = (0.0, -1.0)
    assert not pad.read(Reading(stick)).moves
    wish = pad.read(Reading(stick, (False,) * 4 + (True,)))
    assert wish.held
    assert wish.linear.tolist() == pytest.approx([0.2, 0.0, 0.0])
    keys = driver(MAPPINGS["keyboard"])
    assert not keys.read(Reading(keys=frozenset({"space", "w"}))).held
    assert not keys.read(Reading(keys=frozenset({"w"}))).moves
    assert keys.read(Reading(keys=frozenset({"space"}))).held
    assert keys.read(Reading(keys=frozenset({"w"}))).moves
    assert not keys.read(Reading()).moves
    assert not keys.read(Reading(keys=frozenset({"space"}))).held


def test_actions_happen_once_a_press() -> None:
    keys = driver(MAPPINGS["keyboard"])

    def press(key: str, gripper: float = math.nan) -> Any:
        keys.read(Reading(keys=frozenset({key})), gripper)
        keys.read(Reading(keys=frozenset({key})), gripper)
        return keys.read(Reading(), gripper)

    keys.read(Reading())
    assert math.isnan(press("g", gripper=1.0).gripper)  # nobody holds the arm
    press("space")
    assert press("g", gripper=1.0).gripper == 0.0
    assert press("g", gripper=0.0).gripper == 1.0
    assert press("t").frame == "tool"
    assert press("t").frame == "base"
    for _ in range(30):
        press("-")
    assert keys.speed == pytest.approx(0.05)
    press("q")
    assert keys.quit


def test_a_key_of_a_plain_terminal_is_down_while_it_is_repeated() -> None:
    keys = Keys()
    keys.feed(b"w", 1.0)
    assert keys.down(1.1) == {"w"}
    assert keys.down(1.01 + KEY_TIME) == frozenset()
    for k in range(10):
        keys.feed(b"W", 2.0 + 0.03 * k)
        assert keys.down(2.02 + 0.03 * k) == {"w"}
    keys.feed(b"\x1b[A \x03", 3.0)
    assert keys.down(3.0) == {"up", "space"}
    assert keys.interrupted


def test_a_terminal_that_reports_releases_holds_several_keys_until_they_go_up() -> None:
    keys = Keys()
    keys.feed(b"\x1b[?0u", 0.0)
    assert keys.reports_releases
    keys.feed(b"\x1b[119u\x1b[97;1:1u", 1.0)
    assert keys.down(1.0 + 2.0 * KEY_TIME) == {"w", "a"}
    keys.feed(b"\x1b[119;1:", 1.5)  # cut in the middle
    keys.feed(b"3u", 1.5)
    assert keys.down(1.5) == {"a"}
    keys.feed(b"\x1b[O", 1.6)  # the window is left
    assert keys.down(1.6) == frozenset()
    keys.feed(b"\x1b[97;1:2u", 2.0)
    assert keys.down(2.0) == {"a"}
    assert keys.down(2.1 + QUIET_TIME) == frozenset()  # its release was lost
    keys.feed(b"\x1b[99;5u", 3.0)
    assert keys.interrupted


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_break_the_decoder(chunks: list[bytes]) -> None:
    keys = Keys()
    for k, chunk in enumerate(chunks):
        keys.feed(chunk, 0.1 * k)
    keys.feed(b"", 100.0)
    assert keys.down(100.0 + QUIET_TIME) == frozenset()


def test_without_a_terminal_the_keyboard_says_so() -> None:
    reading, writing = os.pipe()
    with pytest.raises(DeviceError, match="needs a terminal"):
        Terminal(reading)
    os.close(reading)
    os.close(writing)


def test_a_terminal_is_left_as_it_was_and_its_end_is_noticed() -> None:
    import termios

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with Terminal(slave) as terminal:
        os.write(master, b"w")
        assert terminal.read().keys == {"w"}
        terminal.show("a line")
        shown = b""
        while b"a line" not in shown:
            shown += os.read(master, 4096)
    assert termios.tcgetattr(slave) == before
    gone = Terminal(slave)
    os.close(master)
    with pytest.raises(DeviceLostError):
        gone.read()
    os.close(slave)


class FakePygame:
    """The part of pygame that is used, with one pad that can be unplugged."""

    JOYDEVICEREMOVED, JOYAXISMOTION = 1, 2

    def __init__(self, *names: str) -> None:
        pads = [
            SimpleNamespace(
                get_name=lambda name=name: name, get_instance_id=lambda k=k: k, get_numaxes=lambda: 3,
                get_axis=lambda k: 0.5, get_numbuttons=lambda: 2, get_button=lambda k: k, get_numhats=lambda: 1,
                get_hat=lambda k: (1, 0),
            )
            for k, name in enumerate(names)
        ]  # fmt: skip
        self.events: list[Any] = []
        self.display = SimpleNamespace(init=lambda: None)
        self.joystick = SimpleNamespace(
            init=lambda: None, quit=lambda: None, get_count=lambda: len(pads), Joystick=lambda k: pads[k]
        )
        self.event = SimpleNamespace(get=lambda: self.events)


def test_a_gamepad_is_found_by_name_read_and_missed() -> None:
    pygame = FakePygame("Wheel", "Xbox Pad")
    pad = Gamepad("xbox", pygame)
    assert pad.name == "Xbox Pad"
    pygame.events = [SimpleNamespace(type=2, axis=1)]
    reading = pad.read()
    assert reading.axes[1] == 0.5
    assert math.isnan(reading.axes[0])  # has not moved: pygame does not know where it is
    assert reading.axes[3:] == (1.0, 0.0)
    assert reading.buttons == (False, True)
    pygame.events = [SimpleNamespace(type=1, instance_id=0)]
    pad.read()
    pygame.events = [SimpleNamespace(type=1, instance_id=1)]
    with pytest.raises(DeviceLostError, match="'Xbox Pad' was unplugged"):
        pad.read()
    with pytest.raises(DeviceError, match="found: 'Wheel', 'Xbox Pad'"):
        Gamepad("spacemouse", pygame)
    with pytest.raises(DeviceError, match="no gamepad at this machine"):
        Gamepad("", FakePygame())


def test_the_tool_follows_a_hand_from_where_the_clutch_was_closed() -> None:
    rng = np.random.default_rng(1)

    def pose() -> Pose:
        return Pose(rng.normal(size=3), from_rotation_vector(rng.normal(size=3)))

    clutch, hand, tool = PoseClutch(scale=0.5, yaw=0.5 * math.pi), pose(), pose()
    assert np.allclose(clutch.target(hand, tool).position, tool.position)
    turn = from_rotation_vector(np.array([0.0, 0.0, 0.3]))
    moved = Pose(hand.position + np.array([0.2, 0.0, 0.1]), multiply(turn, hand.quaternion))
    target = clutch.target(moved, pose())
    assert np.allclose(target.position - tool.position, [0.0, 0.1, 0.05])
    assert np.allclose(rotation_between(tool.quaternion, target.quaternion), [0.0, 0.0, 0.3])
    clutch.open()
    assert np.allclose(clutch.target(moved, hand).position, hand.position)


def test_the_line_of_state_says_who_drives() -> None:
    assert "vla up" in describe("pad", None, None)
    position = SimpleNamespace(x=0.5, y=0.0, z=0.25)
    values = {"owner": 3, "device": "pad", "state": 2, "reason": "", "ee_setpoint": SimpleNamespace(position=position)}
    status = SimpleNamespace(**values)
    assert "YOU DRIVE" in describe("pad", None, status)
    assert "pad drives" in describe("mouse", None, status)
