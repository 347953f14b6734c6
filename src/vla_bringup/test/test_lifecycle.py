# SPDX-License-Identifier: Apache-2.0
"""Every node is a managed node: all transitions over DDS, as `ros2 lifecycle set` asks for them."""

import signal
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

pytestmark = pytest.mark.node

NODES = {
    "camera_node": ("vla_perception.camera_node", {}, "/vla/observation"),
    "instruction_node": ("vla_operator.instruction_node", {}, "/vla/instruction"),
    "controller_node": ("vla_controller.controller_node", {}, "/vla/controller_status"),
    "policy_node": ("vla_policy.policy_node", {"policy": "expert"}, "/vla/action_chunk"),
    "scene_node": ("vla_perception.scene_node", {}, "/vla/perceived_scene"),
    "planner_node": ("vla_planner.planner_node", {}, "/vla/goal_status"),
    "recorder_node": ("vla_recorder.recorder_node", {}, "/recorder_node/status"),
    "console_node": ("vla_console.console_node", {"port": "0"}, "/vla/text_command"),
    "speech_node": ("vla_speech.speech_node", {"recogniser": "grammar", "speak": "false"}, "/vla/utterance"),
    "simulator_node": ("vla_sim.simulator_node", {}, "/sim/scene_state"),
}
ROUND = (
    (Transition.TRANSITION_CONFIGURE, "inactive"),
    (Transition.TRANSITION_ACTIVATE, "active"),
    (Transition.TRANSITION_DEACTIVATE, "inactive"),
    (Transition.TRANSITION_ACTIVATE, "active"),
    (Transition.TRANSITION_DEACTIVATE, "inactive"),
    (Transition.TRANSITION_CLEANUP, "unconfigured"),
)


class Manager:
    """Asks a node for transitions."""

    def __init__(self, bench, name: str) -> None:
        self.bench = bench
        self.change = bench.node.create_client(ChangeState, f"/{name}/change_state")
        self.state = bench.node.create_client(GetState, f"/{name}/get_state")
        bench.spin_until(self.change.service_is_ready)
        bench.spin_until(self.state.service_is_ready)

    def call(self, client, request):
        future = client.call_async(request)
        self.bench.spin_until(future.done)
        return future.result()

    def ask(self, transition: int) -> bool:
        return self.call(self.change, ChangeState.Request(transition=Transition(id=transition))).success

    @property
    def label(self) -> str:
        return self.call(self.state, GetState.Request()).current_state.label


@pytest.mark.parametrize("name", NODES)
def test_a_node_goes_round_all_transitions_twice_and_shuts_down(start_node, bench, name):
    module, parameters, output = NODES[name]
    process = start_node(module, autostart="false", **parameters)
    manager = Manager(bench, name)
    assert manager.label == "unconfigured"
    assert bench.node.count_publishers(output) == 0
    for _ in range(2):
        for transition, label in ROUND:
            assert manager.ask(transition), (label, process.output)
            assert manager.label == label
            if label != "unconfigured":
                bench.spin_until(lambda: bench.node.count_publishers(output) > 0)
        bench.spin_until(lambda: bench.node.count_publishers(output) == 0)
    for transition, _ in ROUND[:2]:
        assert manager.ask(transition)
    assert manager.ask(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert process.process.wait(timeout=60.0) == 0, process.output
    assert "Traceback" not in process.output


@pytest.mark.parametrize(
    ("module", "name", "parameters", "reason"),
    [
        ("vla_controller.controller_node", "controller_node", {"robot_config": "r2d2"}, "unknown robot 'r2d2'"),
        ("vla_perception.camera_node", "camera_node", {"robot_config": "r2d2"}, "unknown robot 'r2d2'"),
        ("vla_policy.policy_node", "policy_node", {"policy": "telepathy"}, "policy 'telepathy' is unknown"),
        ("vla_sim.simulator_node", "simulator_node", {"robot": "r2d2"}, "unknown robot 'r2d2'"),
    ],
)
def test_a_failed_configuration_leaves_the_node_unconfigured_and_says_why(
    start_node, bench, module, name, parameters, reason
):
    process = start_node(module, autostart="false", **parameters)
    manager = Manager(bench, name)
    assert not manager.ask(Transition.TRANSITION_CONFIGURE)
    assert manager.label == "unconfigured"
    process.wait_for(reason)
    assert process.stop(signal.SIGTERM) == 0


def test_a_node_started_by_hand_is_active_by_itself(start_node, bench):
    start_node("vla_perception.camera_node")
    manager = Manager(bench, "camera_node")
    assert manager.label == "active"


def test_the_robot_file_is_read_at_each_configuration(start_node, bench, tmp_path):
    file = tmp_path / "arm.yaml"
    file.write_text("robot: broken")
    process = start_node("vla_controller.controller_node", autostart="false", robot_config=file)
    manager = Manager(bench, "controller_node")
    assert not manager.ask(Transition.TRANSITION_CONFIGURE)
    good = next(Path(__file__).parents[2].glob("*/config/robots/fr3.yaml"))
    file.write_text(good.read_text())
    assert manager.ask(Transition.TRANSITION_CONFIGURE), process.output
