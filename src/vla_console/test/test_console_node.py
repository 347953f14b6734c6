# SPDX-License-Identifier: Apache-2.0
"""The node: what it shows of the graph, and what its pages' commands become in it."""

import json
import re
import signal
import time

import pytest

pytestmark = pytest.mark.node

MODULE = "vla_console.console_node"


@pytest.fixture(scope="module")
def console(start_node):
    node = start_node(MODULE, port=0)
    node.wait_for("console: http")
    return node, re.search(r"console: (http\S+)", node.output)[1]


@pytest.fixture
def page(console):
    """Runs a conversation of a page with the node, beside the bench's callbacks."""
    from websockets.sync.client import connect

    node, address = console

    class Page:
        def __init__(self):
            self.socket = connect(f"{address.replace('http', 'ws')}socket", max_size=None).__enter__()
            self.send(do="hello")
            self.seen = {}

        def send(self, **data):
            self.socket.send(json.dumps(data))

        def until(self, condition, timeout=40.0):
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                try:
                    message = self.socket.recv(timeout=0.05)
                except TimeoutError:
                    continue
                if isinstance(message, bytes):
                    head, jpeg = message.split(b"\n", 1)
                    data = {"is": "picture", **json.loads(head), "jpeg": jpeg}
                    self.send(do="seen", camera=data["camera"])
                else:
                    data = json.loads(message)
                self.seen[data["is"]] = data
                if condition(data):
                    return data
            raise AssertionError(f"not seen; got {sorted(self.seen)}:\n{node.output}")

        def answer(self, number):
            return self.until(lambda data: data["is"] == "answer" and data["id"] == number)

    made = Page()
    yield made
    made.socket.close()


def test_the_page_sees_the_graph(page, bench):
    from sensor_msgs.msg import Image

    from vla_msgs.msg import ControllerStatus, Refusal

    status = ControllerStatus(state=2, owner=1, joint_names=["a"], measured=[0.25], reason="<i>as it was told</i>")
    status.refusals = [Refusal(name="observation_too_old", count=3, reason="1.9 s; valid: 1.5 s")]
    status.stamp_to_setpoint = float("nan")
    image = Image(encoding="rgb8", height=8, width=8, step=24, data=bytes(192))
    page.until(lambda data: data["is"] == "about" and len(data["joints"]) == 7)

    def shown(data):
        bench.send("vla/controller_status", status)
        bench.send("camera/image_raw", image, qos=1)
        return data["is"] == "picture" and page.seen.get("state", {}).get("controller")

    picture = page.until(shown)
    assert picture["camera"] == "camera"
    assert picture["jpeg"][:2] == b"\xff\xd8"
    controller = page.seen["state"]["controller"]
    assert (controller["state"], controller["owner"], controller["joints"]) == ("tracking", "policy", [0.25])
    assert controller["latency"] is None
    assert controller["reason"] == "<i>as it was told</i>"
    assert controller["refusals"] == [{"name": "observation_too_old", "count": 3, "reason": "1.9 s; valid: 1.5 s"}]
    assert page.until(lambda data: data["is"] == "state" and data["cameras"])["cameras"][0]["name"] == "camera"


def test_commands_reach_the_graph_and_are_logged_with_their_source(page, bench, console):
    from std_msgs.msg import String
    from std_srvs.srv import Trigger

    from vla_msgs.msg import OperatorHeartbeat

    bench.listen(String, "vla/text_command")
    said = bench.received["vla/text_command"]
    bench.spin(1.0)
    page.send(
        do="say", text="is nobody there", id=1
    )  # a listener alone, a recorder for example, is no instruction_node
    assert "instruction_node is silent" in page.answer(1)["text"]
    bench.spin_until(lambda: said)
    said.clear()
    bench.send("vla/operator_heartbeat", OperatorHeartbeat())
    page.until(lambda data: data["is"] == "state" and data["operator"])
    bench.send("vla/operator_heartbeat", OperatorHeartbeat())
    page.send(do="say", text="pick up the <b>red</b> block", id=1)
    bench.spin_until(lambda: said)
    assert said[0].data == "pick up the <b>red</b> block"
    assert page.answer(1)["ok"]
    page.send(do="stop", id=2)
    bench.spin_until(lambda: len(said) == 2)
    assert said[1].data == "stop"
    page.send(do="say", text="\x07", id=3)
    assert "valid: what the robot is to do" in page.answer(3)["text"]
    page.send(do="ask", text="what is it?", id=4)
    assert "vla/ask is not there; it comes with policy:=rt2" in page.answer(4)["text"]

    called = []

    def stopped(request, response):
        called.append(request)
        response.success, response.message = True, "the arm holds"
        return response

    service = bench.node.create_service(Trigger, "controller_node/estop", stopped)
    bench.spin(1.0)
    page.send(do="estop", id=5)
    bench.spin_until(lambda: called)
    bench.spin(0.1)
    assert page.answer(5) == {"is": "answer", "id": 5, "ok": True, "text": "the arm holds"}
    bench.node.destroy_service(service)
    for line in ("say 'pick up the <b>red</b> block'", "stop", "estop"):
        assert re.search(rf"operate \d+ at 127\.0\.0\.1:\d+: {re.escape(line)}\n", console[0].output)


def test_a_goal_reaches_the_planner_and_its_status_the_page(page, bench, console):
    from rclpy.action import ActionServer
    from std_msgs.msg import String

    from vla_msgs.action import ExecuteGoal
    from vla_msgs.msg import GoalStatus, GoalStep

    page.send(do="goal", text="clear the table", id=1)
    assert "vla/execute_goal is not there; it comes with planner:=NAME" in page.answer(1)["text"]
    goals = []

    def execute(handle):
        goals.append(handle.request.text)
        handle.succeed()
        return ExecuteGoal.Result(code=1)

    server = ActionServer(bench.node, ExecuteGoal, "vla/execute_goal", execute)
    bench.listen(String, "vla/goal_text")
    bench.listen(String, "vla/text_command")
    bench.clear()

    def offered(data):
        bench.spin(0.02)
        return data["is"] == "offers" and "goal" in data["actions"]

    page.until(offered)
    bench.spin(1.0)
    page.send(do="goal", text="clear the <b>table</b>", id=2)
    bench.spin_until(lambda: goals)
    bench.spin(0.2)
    assert page.answer(2) == {"is": "answer", "id": 2, "ok": True, "text": "begun: clear the <b>table</b>"}
    assert goals == ["clear the <b>table</b>"]
    page.send(do="tell", text="the blue one", id=3)
    bench.spin_until(lambda: bench.received["vla/goal_text"])
    assert bench.received["vla/goal_text"][0].data == "the blue one"
    assert page.answer(3)["ok"]
    page.send(do="goal", text="Stop!", id=4)  # in whichever box it is typed
    bench.spin_until(lambda: bench.received["vla/text_command"])
    assert bench.received["vla/text_command"][0].data == "Stop!"
    assert len(goals) == 1

    status = GoalStatus(goal_id="a", goal="clear the table", state=GoalStatus.STATE_ASKING, question="which block?")
    status.steps = [GoalStep(instruction="pick up the red block", state=GoalStep.STATE_FAILED, reason="<i>it fell</i>")]

    def told(data):
        bench.send("vla/goal_status", status)
        return data["is"] == "goal" and data["status"]

    shown = page.until(told)["status"]
    assert (shown["state"], shown["question"], shown["silent"]) == ("asking", "which block?", False)
    assert (shown["steps"][0]["state"], shown["steps"][0]["reason"]) == ("failed", "<i>it fell</i>")
    assert page.until(lambda data: data["is"] == "goal" and data["status"]["silent"])
    server.destroy()
    assert re.search(r"operate \d+ at 127\.0\.0\.1:\d+: goal 'clear the <b>table</b>'\n", console[0].output)


def drive(page, held, **more):
    axes = {"linear": [0.5, 0, 0], "angular": [0, 0, 1]}
    page.send(do="drive", held=held, at=time.monotonic(), **axes, **more)


def test_a_page_drives_and_a_lost_one_stops_the_arm(page, bench, console):
    from vla_msgs.msg import TeleopCommand

    bench.listen(TeleopCommand, "vla/teleop_command")
    commands = bench.received["vla/teleop_command"]
    bench.spin(1.0)
    drive(page, False)
    bench.spin_until(lambda: commands)
    for _ in range(3):
        drive(page, True)
    bench.spin_until(lambda: len(commands) == 4)
    opened, held = commands[0], commands[-1]
    assert (opened.held, held.held, held.drive) == (False, True, TeleopCommand.DRIVE_TWIST)
    assert (held.twist.linear.x, held.twist.angular.z) == pytest.approx((0.1, 0.8))
    assert held.header.frame_id == "fr3_link0"
    assert held.device.startswith("console-")
    late = {"held": True, "linear": [1, 0, 0], "angular": [0, 0, 0], "at": time.monotonic() - 1.0, "id": 9}
    page.send(do="drive", **late)  # it was 1 s on its way
    assert "valid: 0.2 s" in page.answer(9)["text"]
    page.socket.socket.close()  # no closing handshake
    bench.spin_until(lambda: len(commands) == 5)
    assert (commands[-1].held, commands[-1].drive) == (True, TeleopCommand.DRIVE_NONE)
    console[0].wait_for("lost while it drove; the arm stops")
    bench.spin(0.6)
    assert len(commands) == 5  # silence: the controller stops the arm and the policy


def test_a_page_that_is_closed_while_it_drives_lets_go_and_is_lost(page, bench):
    from vla_msgs.msg import TeleopCommand

    bench.listen(TeleopCommand, "vla/teleop_command")
    commands = bench.received["vla/teleop_command"]
    bench.spin(0.5)
    for held in (False, True, False):
        drive(page, held)
    page.socket.close()
    bench.spin_until(lambda: len(commands) == 4)
    assert [command.held for command in commands] == [False, True, False, True]
    assert commands[-1].drive == TeleopCommand.DRIVE_NONE


def test_a_page_that_only_watched_is_lost_without_a_command(page, bench):
    from vla_msgs.msg import TeleopCommand

    bench.listen(TeleopCommand, "vla/teleop_command")
    bench.clear()
    drive(page, False)  # it had the deadman open
    bench.spin_until(lambda: bench.received["vla/teleop_command"])
    page.socket.socket.close()
    bench.spin(1.0)
    assert len(bench.received["vla/teleop_command"]) == 1


def test_sound_reaches_speech(page, bench):
    import struct

    from vla_msgs.msg import AudioChunk, Utterance

    bench.listen(AudioChunk, "vla/audio")
    page.until(lambda data: data["is"] == "offers" and not data["speech"])
    speech = bench.node.create_publisher(Utterance, "vla/utterance", 1)
    page.until(lambda data: data["is"] == "offers" and data["speech"])
    bench.node.destroy_publisher(speech)
    bench.spin(0.5)
    page.socket.send(struct.pack("<II3h", 16000, 1, 5, -5, 6))
    bench.spin_until(lambda: bench.received["vla/audio"])
    chunk = bench.received["vla/audio"][0]
    assert (chunk.sample_rate, chunk.channels, chunk.push_to_talk, list(chunk.samples)) == (16000, 1, True, [5, -5, 6])
    page.socket.socket.close()
    bench.spin_until(lambda: len(bench.received["vla/audio"]) == 2)
    assert not bench.received["vla/audio"][1].push_to_talk


def test_the_node_ends_orderly_and_refuses_what_it_cannot_serve(console, start_node):
    refused = start_node(MODULE, port=0, host="0.0.0.0")
    assert refused.process.wait(timeout=60) == 2
    assert "which others reach, without token_file and tls_cert" in refused.output
    assert console[0].stop(signal.SIGINT) == 0
