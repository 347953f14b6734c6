# SPDX-License-Identifier: Apache-2.0
"""teleop_node over DDS: a pad as sensor_msgs/Joy, stamped topics with a clutch, a person at a terminal."""

import os
import pty
import subprocess
import sys

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import Joy
from std_msgs.msg import Bool

from vla_msgs.msg import ControllerStatus, TeleopCommand

pytestmark = pytest.mark.node
COMMAND, STATUS = "/vla/teleop_command", "/vla/controller_status"
BASE = "fr3_link0"
MODULE = "vla_operator.ros.teleop.command"


def status() -> ControllerStatus:
    msg = ControllerStatus(gripper=1.0)
    msg.header.frame_id = BASE
    msg.ee_setpoint.position.x, msg.ee_setpoint.orientation.x, msg.ee_setpoint.orientation.w = 0.5, 1.0, 0.0
    return msg


@pytest.fixture
def operator(bench):
    """The bench in place of the controller."""
    bench.listen(TeleopCommand, COMMAND)
    return bench


@pytest.fixture
def node(start_node):
    started = []

    def start(**parameters):
        started.append(start_node("vla_operator.teleop_node", **parameters))
        started[-1].wait_for("drives on")
        return started[-1]

    yield start
    for process in started:
        process.kill()


def latest(bench, cause, condition):
    """The next command that meets a condition, while the controller's status and a cause are sent again and again."""
    found = []

    def arrived():
        bench.send(STATUS, status())
        cause()
        found.extend(msg for msg in bench.received[COMMAND] if condition(msg))
        bench.received[COMMAND].clear()
        return found

    bench.spin_until(arrived)
    return found[0]


def test_a_pad_drives_while_its_deadman_is_held_and_a_silent_one_is_silent(operator, node):
    node(device="joy", name="pad", speed=1.0)

    def pad(held):
        axes = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
        operator.send("/joy", Joy(axes=axes, buttons=[0, 0, 0, 0, int(held), 0, 0, 0]))

    assert not latest(operator, lambda: pad(False), lambda msg: True).held
    msg = latest(operator, lambda: pad(True), lambda msg: msg.held)
    assert (msg.device, msg.header.frame_id, msg.drive) == ("pad", BASE, msg.DRIVE_TWIST)
    assert msg.twist.linear.x == pytest.approx(0.25)
    operator.spin(0.5)
    operator.clear()
    operator.spin(0.3)
    assert operator.received[COMMAND] == []


def test_stamped_topics_pass_while_the_clutch_is_closed(operator, node):
    node(device="topic", name="mouse", pose_scale=0.5)
    twist = TwistStamped()
    twist.twist.linear.y = 0.05
    twist.header.stamp.sec, twist.header.frame_id = 17, "nowhere"  # the controller judges both

    def send(closed, *messages):
        operator.send("/teleop/clutch", Bool(data=closed))
        for topic, message in messages:
            operator.send(topic, message)

    moving = ("/teleop/twist", twist)
    assert not latest(operator, lambda: send(False, moving), lambda msg: True).held
    msg = latest(operator, lambda: send(True, moving), lambda msg: msg.drive == msg.DRIVE_TWIST)
    assert (msg.twist.linear.y, msg.header.stamp.sec, msg.header.frame_id) == (0.05, 17, "nowhere")
    hand = PoseStamped()
    hand.pose.position.z, hand.pose.orientation.w = 1.0, 1.0

    def lift():
        send(True, ("/teleop/pose", hand))
        hand.pose.position.z = min(1.5, hand.pose.position.z + 0.02)

    msg = latest(operator, lift, lambda msg: msg.drive == msg.DRIVE_POSE and msg.pose.position.z > 0.1)
    assert msg.header.frame_id == BASE
    assert msg.pose.position.x == pytest.approx(0.5)
    assert msg.pose.position.z <= 0.25  # half the hand's way since the clutch was closed
    assert msg.pose.orientation.x == pytest.approx(1.0)


@pytest.mark.parametrize("end", ["q", "terminal"])
def test_a_person_at_a_terminal(operator, end):
    """The terminal answers no question about releases: a key counts as down while it comes again and again."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", MODULE, "keyboard", "name:=keys"]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(slave)
    os.set_blocking(master, False)

    def drain():
        try:
            return os.read(master, 65536)
        except (BlockingIOError, OSError):
            return b""

    try:
        shown = b""

        def ready():
            nonlocal shown
            shown += drain()
            return b"waiting for controller_node" in shown

        operator.spin_until(ready)
        assert b"takes the arm" in shown
        assert not latest(operator, drain, lambda msg: msg.device == "keys").held  # not what an earlier test left
        os.write(master, b" ")
        assert latest(operator, drain, lambda msg: msg.held).drive == TeleopCommand.DRIVE_NONE

        def press():
            drain()
            os.write(master, b"w")

        msg = latest(operator, press, lambda msg: msg.drive == msg.DRIVE_TWIST)
        assert msg.twist.linear.x == pytest.approx(0.125)
        assert latest(operator, drain, lambda msg: msg.drive == msg.DRIVE_NONE).held
        operator.clear()
        if end == "q":
            os.write(master, b"q")
            operator.spin_until(lambda: drain() is None or process.poll() is not None)
            assert process.returncode == 0
            operator.spin(0.2)
            assert not operator.received[COMMAND][-1].held
        else:
            os.close(master)
            operator.spin_until(lambda: process.poll() is not None)
            assert process.returncode == 1
            operator.spin(0.2)
            assert all(msg.held for msg in operator.received[COMMAND])  # the controller stops by the silence
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["keyboard"], "needs a terminal"),
        (["gamepad", "gamepad:=no such pad"], "gamepad"),
        (["wheel"], "valid: keyboard, gamepad, joy, topic"),
        (["joy", "mapping:=wheel"], "valid: gamepad, joy, keyboard, spacemouse"),
        (["joy", "speed:=3.0"], "0.05 to 1"),
        (["joy", "fast"], "NAME:=VALUE"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(words, text):
    command = [sys.executable, "-m", MODULE, *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
