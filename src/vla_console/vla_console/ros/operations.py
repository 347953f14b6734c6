# SPDX-License-Identifier: Apache-2.0
"""What the page's commands do in the graph. Called in the server's thread, so that "stop" waits for nothing else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from vla_operator.commands import CommandKind, parse_command
from vla_operator.errors import CommandError

from vla_console.commands import Act, Ask, Begin, Command, Drive, Say, Sound, Tell, describe
from vla_console.errors import ConsoleError
from vla_console.ros.goals import GoalLink
from vla_console.ros.replies import awaited, hand_over
from vla_console.ros.teleop import TeleopLink
from vla_console.settings import ConsoleSettings
from vla_msgs.msg import AudioChunk
from vla_msgs.srv import Ask as AskSrv
from vla_msgs.srv import StartRecording

SERVICE_S, DISK_S, MODEL_S = 3.0, 25.0, 60.0  # [s] for an answer: of the controller, the recorder, the policy's model
SILENT_S = 2.0  # [s] after which instruction_node, which reports 5 times a second, is not there
RELIABLE = QoSProfile(depth=10)


class GraphOperations:
    """Publishers and clients of the commands."""

    def __init__(self, node: Node, settings: ConsoleSettings, frame: str, heard: Callable[[], float | None]) -> None:
        """`frame`: the robot's base frame; `heard`: returns the age of instruction_node's latest sign of life [s]."""
        self._node, self._heard = node, heard
        self._texts = node.create_publisher(String, "vla/text_command", RELIABLE)
        self._sounds = node.create_publisher(AudioChunk, "vla/audio", QoSProfile(depth=50))
        self._replies = node.create_publisher(Bool, "vla/speech/answer", RELIABLE)
        self._teleop = TeleopLink(node, settings, frame)
        self._goals = GoalLink(node)
        self._question = node.create_client(AskSrv, "vla/ask")
        self._services = {
            "estop": node.create_client(Trigger, "controller_node/estop"),
            "reset": node.create_client(Trigger, "controller_node/reset_estop"),
            "home": node.create_client(Trigger, "controller_node/home"),
            "record_start": node.create_client(StartRecording, "recorder_node/start"),
            "record_stop": node.create_client(Trigger, "recorder_node/stop"),
            "record_success": node.create_client(Trigger, "recorder_node/success"),
            "record_failure": node.create_client(Trigger, "recorder_node/failure"),
            "record_discard": node.create_client(Trigger, "recorder_node/discard"),
        }
        self.active = False
        self._talking: set[str] = set()

    def perform(self, source: str, command: Command) -> Awaitable[str]:
        """Do a command of the page `source`; return what was done. Raises ConsoleError, also later."""
        if isinstance(command, Drive):
            return _done(self._teleop.drive(source, command, self.active))
        if isinstance(command, Sound):
            return _done(self._hear(source, command))
        self._node.get_logger().info(f"{source}: {describe(command)}")
        if isinstance(command, Say):
            return _done(self._say(command.text))
        if isinstance(command, Begin | Tell):
            return self._goal(command)
        if isinstance(command, Ask):
            return self._call(self._question, AskSrv.Request(question=command.question), MODEL_S, "policy:=rt2")
        if isinstance(command, Act):
            return self._act(command)
        raise ConsoleError(f"{describe(command)} is no command once a page is connected")

    def left(self, source: str) -> None:
        """Stop what a page moved that has lost its connection; one that only watched changes nothing."""
        self._teleop.lose(source)
        if source in self._talking:
            self._hear(source, Sound(16000, talking=False, samples=b""))

    def listens(self) -> bool:
        """Return whether speech_node is there for the page's sound."""
        return self._node.count_publishers("vla/utterance") > 0

    def offers(self) -> list[str]:
        """Return the actions whose service is there, `ask` and `goal`."""
        found = {name: client.service_is_ready() for name, client in self._services.items()}
        found |= {"ask": self._question.service_is_ready(), "goal": self._goals.ready}
        return [name for name, there in found.items() if there]

    def _say(self, text: str) -> str:
        try:
            command = parse_command(text)
        except CommandError as error:
            raise ConsoleError(str(error)) from error
        self._check_active(command.kind is CommandKind.STOP)
        self._texts.publish(String(data=text))
        age = self._heard()  # a recorder listens too: subscriptions say nothing
        if age is None or age > SILENT_S:
            raise ConsoleError("instruction_node is silent: nobody has heard it, and the arm halts by itself")
        return f"given: {command.text}"

    def _goal(self, command: Begin | Tell) -> Awaitable[str]:
        """Hand a text to planner_node; one that means "stop" stops, whichever box it was typed in."""
        text = command.goal if isinstance(command, Begin) else command.text
        if _means_stop(text):
            return _done(self._say(text))
        self._check_active(False)
        return self._goals.begin(text) if isinstance(command, Begin) else _done(self._goals.tell(text))

    def _act(self, command: Act) -> Awaitable[str]:
        if command.name == "stop":
            return _done(self._say("stop"))
        self._check_active(command.name == "estop")
        if command.name in ("yes", "no"):
            self._replies.publish(Bool(data=command.name == "yes"))
            return _done(f"answered: {command.name}")
        owner = "./vla up recordings:=FOLDER" if command.name.startswith("record") else "controller_node"
        starts = command.name == "record_start"
        request = StartRecording.Request(task=command.text) if starts else Trigger.Request()
        patience = DISK_S if command.name.startswith("record") else SERVICE_S
        return self._call(self._services[command.name], request, patience, owner)

    def _hear(self, source: str, sound: Sound) -> str:
        self._check_active(not sound.talking)
        if sound.talking and source not in self._talking:
            self._node.get_logger().info(f"{source}: talks")
        (self._talking.add if sound.talking else self._talking.discard)(source)
        message = AudioChunk(sample_rate=sound.sample_rate, channels=1, push_to_talk=sound.talking)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.samples.frombytes(sound.samples)
        self._sounds.publish(message)
        return ""

    def _check_active(self, stops: bool) -> None:
        if not self.active and not stops:
            raise ConsoleError("console_node is inactive; valid: stop, and estop")

    def _call(self, client: Any, request: Any, patience: float, owner: str) -> Awaitable[str]:
        """Call a service; its text is the answer."""
        if not client.service_is_ready():
            raise ConsoleError(f"the service {client.srv_name} is not there; it comes with {owner}")
        answered, take = hand_over()
        client.call_async(request).add_done_callback(take)
        return _answer(answered, patience, client.srv_name)


async def _answer(answered: asyncio.Future[Any], patience: float, name: str) -> str:
    reply = await awaited(answered, patience, name)
    if not reply.success:
        raise ConsoleError(str(reply.message) or f"{name} refused")
    if isinstance(reply, AskSrv.Response):
        sure = "" if math.isnan(reply.confidence) else f" ({reply.confidence:.0%} sure)"
        return f"{reply.answer}{sure}"
    return str(reply.message) or "done"


def _means_stop(text: str) -> bool:
    try:
        return parse_command(text).kind is CommandKind.STOP
    except CommandError:
        return False  # planner_node says what is wrong with it


async def _done(text: str) -> str:
    return text
