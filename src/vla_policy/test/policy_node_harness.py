# SPDX-License-Identifier: Apache-2.0
"""What stands around the policy node in its tests: the process, and a camera, an operator and a listener."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point, Pose
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from vla_core.action import ActionChunk, ActionMode, ActionStep, DeltaReference
from vla_policy.replay.recording import FORMAT, chunk_to_dict

from vla_msgs import msg as messages
from vla_msgs.srv import Ask

STATUS = messages.PolicyStatus
PATIENCE_S = 30.0  # a loaded machine is slow; a test that passes does not wait


def write_recording(path: Path, long: int, short: int) -> None:
    """Write an episode "long" of `long` chunks and one "short" of `short` chunks, told apart by their translation."""
    lines = [{"format": FORMAT, "policy": "test"}]
    for name, count, x in (("long", long, 0.01), ("other", long, 0.03), ("short", short, 0.02)):
        lines.append({"instruction": name})
        step = ActionStep(translation=np.array([x, 0.0, 0.0]), gripper=1.0)
        chunk = ActionChunk(0.0, ActionMode.EE_DELTA, DeltaReference.OBSERVED, 0.2, (step, step))
        lines += [chunk_to_dict(chunk)] * count
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def install_talking_policy(folder: Path) -> dict[str, str]:
    """Install talking_policy.py as a distribution with an entry point in `folder`; return what to add to environ."""
    shutil.copy(Path(__file__).with_name("talking_policy.py"), folder)
    info = folder / "talking_policy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: talking-policy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[vla_policy.policies]\ntalking = talking_policy:create\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def start(*parameters: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    arguments = [item for parameter in parameters for item in ("-p", parameter)]
    return subprocess.Popen(
        [sys.executable, "-m", "vla_policy.policy_node", "--ros-args", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
    )


def end(process: subprocess.Popen[str], sign: int = signal.SIGINT) -> tuple[int, str]:
    process.send_signal(sign)
    output, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, output


class Robot(Node):
    """What stands around the policy node: a camera, an operator, a listener."""

    def __init__(self) -> None:
        super().__init__("around_policy_node")
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.chunks: list[messages.ActionChunk] = []
        self.statuses: list[messages.PolicyStatus] = []
        self.diagnostics: list[DiagnosticArray] = []
        self.instructions: list[messages.Instruction] = []
        self.plans: list[messages.Plan] = []
        self.seeing, self.spoil, self.count = True, lambda msg: msg, 0
        self._observations = self.create_publisher(messages.Observation, "/vla/observation", best_effort)
        self._tell = self.create_publisher(messages.Instruction, "/vla/instruction", latched)
        self.create_subscription(messages.ActionChunk, "/vla/action_chunk", self.chunks.append, 50)
        self.create_subscription(messages.PolicyStatus, "/vla/policy_status", self.statuses.append, 50)
        self.create_subscription(messages.Instruction, "/vla/instruction", self.instructions.append, 10)
        self.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        self.create_subscription(messages.Plan, "/vla/plan", self.plans.append, latched)
        self.asking = self.create_client(Ask, "/vla/ask")
        self.create_timer(0.05, self._see)

    def _see(self) -> None:
        if not self.seeing:
            return
        msg = messages.Observation(base_frame="base", ee_pose_valid=True, joint_names=["j1"], joint_position=[0.1])
        msg.header.stamp = self.get_clock().now().to_msg()
        image = Image(height=8, width=10, step=30, encoding="rgb8", data=bytes(240))
        msg.images = [messages.CameraImage(name="front", image=image)]
        msg.ee_pose.position.x = 0.5
        self._observations.publish(self.spoil(msg))

    def tell(self, text: str, kind: int = 0) -> str:
        self.spin(PATIENCE_S, lambda: self._tell.get_subscription_count() > 1)  # the policy's, which is not latched
        self.count += 1
        msg = messages.Instruction(id=f"test-{self.count}", text=text, kind=kind, sequence=time.time_ns())
        msg.header.stamp = self.get_clock().now().to_msg()
        self._tell.publish(msg)
        return msg.id

    def spin(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and not until():
            rclpy.spin_once(self, timeout_sec=0.02)
        return until()

    def reaches(
        self, state: int, instruction_id: str | None = None, seconds: float = PATIENCE_S
    ) -> messages.PolicyStatus:
        def there() -> bool:
            last = self.statuses[-1] if self.statuses else None
            return last is not None and last.state == state and instruction_id in (None, last.instruction_id)

        assert self.spin(seconds, there), f"state {state} not reached; last: {self.statuses[-1:]}"
        return self.statuses[-1]

    def ask_later(self, question: str):
        assert self.asking.wait_for_service(PATIENCE_S)
        return self.asking.call_async(Ask.Request(question=question))

    def ask(self, question: str) -> Ask.Response:
        future = self.ask_later(question)
        assert self.spin(PATIENCE_S, future.done), f"no reply to {question[:40]!r}"
        return future.result()

    def calm(self) -> None:
        """Stop the policy, mend the camera, forget what was heard."""
        self.seeing, self.spoil = True, lambda msg: msg
        stop = self.tell("stop", kind=messages.Instruction.KIND_STOP)
        self.reaches(STATUS.STATE_STOPPED, stop)
        self.spin(PATIENCE_S, lambda: any(told.id == stop for told in self.instructions))
        self.spin(0.1)  # what was sent before the stop
        for heard in (self.chunks, self.diagnostics, self.instructions, self.plans):
            heard.clear()

    def show_scene(self, name: str, position: tuple[float, float, float]) -> None:
        """Publish the simulator's ground truth from now on: one object."""
        publisher = self.create_publisher(messages.SceneState, "/sim/scene_state", 10)
        pose = Pose(position=Point(**dict(zip("xyz", position, strict=True))))
        scene = messages.SceneState(names=[name], poses=[pose])

        def show() -> None:
            scene.header.stamp = self.get_clock().now().to_msg()
            publisher.publish(scene)

        self._showing = self.create_timer(0.05, show)

    def hide_scene(self) -> None:
        """Publish no further ground truth."""
        self._showing.cancel()


@contextmanager
def around(*parameters: str, environment: Mapping[str, str] | None = None, seeing: bool = True) -> Iterator[Robot]:
    """Run a policy node of its own with these parameters, and stop it afterwards; without `seeing` it has no camera."""
    process = start(*parameters, environment=environment)
    rclpy.init()
    robot = Robot()
    robot.seeing = seeing
    try:
        robot.spin(2 * PATIENCE_S, lambda: bool(robot.statuses) or process.poll() is not None)
        assert robot.statuses, f"no status; exit {process.poll()}"
        yield robot
    finally:
        robot.destroy_node()
        rclpy.try_shutdown()
        code, output = end(process)
        print(output)  # for a test that fails
    assert code == 0, output
    assert "Traceback" not in output
