# SPDX-License-Identifier: Apache-2.0
"""One command for the recorder that runs in the graph, or the keys of a terminal until `q`."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import rclpy
from rclpy.node import Node
from std_srvs.srv import Trigger
from vla_core.ros.start import create_node, start_ros

from vla_msgs.msg import RecorderStatus
from vla_msgs.srv import StartRecording
from vla_recorder.errors import RecordingError

NODE = "recorder_node"
ANSWER_S = 25.0  # [s] longer than the recorder itself waits for its disk
START_S = 30.0  # [s] for a recorder of this command's own
KEYS = {
    "s": ("start", "start"),
    "y": ("success", "success"),
    "n": ("failure", "failure"),
    " ": ("stop", "stop, no label"),
    "d": ("discard", "discard"),
    "r": ("record-again", "record again"),
    "l": ("save-last", "save the last seconds"),
}
STATES = ("idle", "RECORDING", "STOPPED")


class Client:
    """Talks to the recorder."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.status: RecorderStatus | None = None
        subscribe, self._connect = node.create_subscription, node.create_client  # no interfaces of the node itself
        subscribe(RecorderStatus, f"{NODE}/status", self._on_status, 1)

    def _on_status(self, message: RecorderStatus) -> None:
        self.status = message

    def wait(self, timeout: float, alive: Callable[[], bool] = lambda: True) -> None:
        """Wait for the recorder. Raises TimeoutError when none is there."""
        end = time.monotonic() + timeout
        while self.status is None and alive():
            if time.monotonic() > end:
                raise TimeoutError(
                    f"no recorder after {timeout:g} s; `./vla record` starts one, or `./vla up recordings:=DIR`"
                )
            rclpy.spin_once(self._node, timeout_sec=0.05)

    def do(self, command: str, task: str = "") -> str:
        """Let the recorder do a command; return what it says. Raises RecordingError when it refuses, TimeoutError."""
        kind, request = (StartRecording, StartRecording.Request(task=task)) if command == "start" else (Trigger, None)
        client = self._connect(kind, f"{NODE}/{command.replace('-', '_')}")
        try:
            if not client.wait_for_service(timeout_sec=ANSWER_S):
                raise TimeoutError(f"the recorder has no service {client.srv_name}")
            future = client.call_async(request or Trigger.Request())
            rclpy.spin_until_future_complete(self._node, future, timeout_sec=ANSWER_S)
            if not future.done():
                raise TimeoutError(f"the recorder has not answered for {ANSWER_S:g} s")
            answer = future.result()
        finally:
            self._node.destroy_client(client)
        if not answer.success:
            raise RecordingError(answer.message)
        return str(answer.message)


@contextmanager
def _client(namespace: str) -> Iterator[tuple[Node, Client]]:
    start_ros([])
    try:
        node = create_node("record_command", namespace)
        try:
            yield node, Client(node)
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def describe(status: RecorderStatus) -> str:
    """Return a status in one line."""
    words = [STATES[status.state], f"{status.topics} topics", f"{status.episodes} episodes saved"]
    if status.state == RecorderStatus.STATE_RECORDING:
        words += [status.episode, f"{status.duration:.1f} s", f"{status.bytes / 1e6:.1f} MB", f"task {status.task!r}"]
    words += [f"{status.last_seconds:.0f} s in memory"] if status.last_seconds else []
    words += [f"{status.dropped} messages lost"] if status.dropped else []
    return ", ".join(words) + (f": {status.reason}" if status.reason else "")


def run_command(command: str, task: str, timeout: float, namespace: str = "") -> int:
    """Let the recorder in `namespace` do one command; return 0. Raises RecordingError, TimeoutError, RosStartError."""
    with _client(namespace) as (_, client):
        client.wait(timeout)
        print(describe(client.status) if command == "status" else client.do(command, task), flush=True)
    return 0


def run_keys(parameters: Mapping[str, str], timeout: float, namespace: str = "") -> int:
    """Serve the terminal's keys until `q`; return 0. Raises as `run_command` does."""
    if not sys.stdin.isatty():
        raise RecordingError("standard input is no terminal; valid: a command such as `vla record start`")
    with ExitStack() as stack:
        node, client = stack.enter_context(_client(namespace))
        try:
            client.wait(2.0)
        except TimeoutError:
            process = stack.enter_context(_recorder(parameters, namespace))
            client.wait(max(timeout, START_S), lambda: process.poll() is None)
            if process.poll() is not None:
                raise RecordingError("the recorder could not start") from None
        print("  ".join(f"{'space' if key == ' ' else key}: {text}" for key, (_, text) in KEYS.items()) + "  q: quit")
        stack.enter_context(_single_keys())
        _serve_keys(node, client)
    return 0


@contextmanager
def _recorder(parameters: Mapping[str, str], namespace: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a recorder until the block ends."""
    place = ("-r", f"__ns:=/{namespace.strip('/')}") if namespace else ()
    settings = [word for name, value in parameters.items() for word in ("-p", f"{name}:={json.dumps(value)}")]
    command = [sys.executable, "-m", "vla_recorder.recorder_node", "--ros-args", *place, *settings]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30.0)


@contextmanager
def _single_keys() -> Iterator[None]:
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _serve_keys(node: Node, client: Any) -> None:
    shown = 0.0
    while True:
        rclpy.spin_once(node, timeout_sec=0.05)
        if time.monotonic() - shown > 1.0 and client.status is not None:
            print(f"\r\033[K{describe(client.status)[:150]}", end="", flush=True)
            shown = time.monotonic()
        if not select.select([sys.stdin], [], [], 0.0)[0]:
            continue
        key = sys.stdin.read(1)
        if key in ("q", ""):
            print()
            return
        if key in KEYS:
            try:
                print(f"\r\033[K{client.do(KEYS[key][0])}", flush=True)
            except (RecordingError, TimeoutError) as error:
                print(f"\r\033[Kerror: {error}", flush=True)
