# SPDX-License-Identifier: Apache-2.0
"""For the tests of nodes: a node in a process of its own, and a bench that talks to it over DDS; pytest fixtures."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 40.0  # [s] a loaded machine is slow; a test that passes does not wait


class NodeProcess:
    """`python -m MODULE` with ROS arguments and parameters; its output goes to a file."""

    def __init__(self, module: str, words: Sequence[str], parameters: dict[str, object], log: Path) -> None:
        arguments = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", module, "--ros-args", *words, *arguments]
        self._log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        """What the node has printed so far."""
        return self._log.read_text()

    def wait_for(self, text: str, timeout: float = PATIENCE_S) -> None:
        """Wait until the node has printed `text`."""
        deadline = time.monotonic() + timeout
        while text not in self.output:
            assert self.process.poll() is None, f"the node ended:\n{self.output}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output}"
            time.sleep(0.02)

    def stop(self, signal_number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=PATIENCE_S)

    def kill(self) -> None:
        """End the process if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def start_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., NodeProcess]]:
    """Starts nodes; those still alive at the end of the module are killed."""
    started: list[NodeProcess] = []

    def start(module: str, *words: str, **parameters: object) -> NodeProcess:
        log = tmp_path_factory.mktemp("log") / f"{module}.txt"
        started.append(NodeProcess(module, words, parameters, log))
        return started[-1]

    yield start
    for node in started:
        node.kill()


class Bench:
    """A ROS node of the test: publishers by topic, messages received by topic."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("bench", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._publishers: dict[str, Any] = {}
        self.received: dict[str, list[Any]] = {}

    def listen(self, message_type: type, topic: str, qos: object = 50) -> None:
        """Collect the messages of a topic in `received`."""
        if topic not in self.received:
            self.received[topic] = []
            self.node.create_subscription(message_type, topic, self.received[topic].append, qos)

    def send(self, topic: str, message: object, qos: object = 50, message_type: type | None = None) -> None:
        """Publish, waiting for the first listener; ``message`` may be serialized bytes of ``message_type``."""
        key = f"{topic} {qos}"
        if key not in self._publishers:
            publisher = self.node.create_publisher(message_type or type(message), topic, qos)
            self._publishers[key] = publisher
            self.spin_until(lambda: publisher.get_subscription_count() > 0)
            self.spin(0.3)
        self._publishers[key].publish(message)

    def spin(self, seconds: float) -> None:
        """Serve callbacks for `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def spin_until(self, condition: Callable[[], object], timeout: float = PATIENCE_S) -> None:
        """Serve callbacks until `condition` holds; fails after `timeout` [s]."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, (
                f"nothing came; received { ({k: len(v) for k, v in self.received.items()}) }"
            )
            self._executor.spin_once(timeout_sec=0.05)

    def clear(self) -> None:
        """Forget what was received."""
        for messages in self.received.values():
            messages.clear()

    def diagnosis(self, name: str, said: str, cause: Callable[[], None] | None = None) -> object:
        """The next status called ``name`` whose message contains ``said``; meanwhile ``cause`` is called at 20 Hz.

        A status is sampled once a second: what does not last that long has to be caused until a sample shows it.
        """
        found: list[object] = []
        seen: list[str] = []
        due = time.monotonic()

        def arrived() -> bool:
            nonlocal due
            if cause is not None and time.monotonic() >= due:
                cause()
                due = time.monotonic() + 0.05
            for array in self.received["/diagnostics"]:
                for status in array.status:
                    seen.append(f"{status.name}: {status.message}")
                    if status.name == name and said in status.message:
                        found.append(status)
            self.received["/diagnostics"].clear()
            return bool(found)

        try:
            self.spin_until(arrived)
        except AssertionError:
            raise AssertionError(f"no {said!r} from {name!r} in {seen}") from None
        return found[-1]

    def close(self) -> None:
        """Destroy the node and its context."""
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope="module")
def module_bench() -> Iterator[Bench]:
    """One bench for a module, so that its discovery is paid for once."""
    from diagnostic_msgs.msg import DiagnosticArray

    made = Bench()
    made.listen(DiagnosticArray, "/diagnostics")
    yield made
    made.close()


@pytest.fixture
def bench(module_bench: Bench) -> Bench:
    """The bench, listening to /diagnostics, without what earlier tests received."""
    module_bench.spin(0.0)
    module_bench.clear()
    return module_bench
