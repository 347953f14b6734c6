# SPDX-License-Identifier: Apache-2.0
"""simulator_node over DDS, as a process: rates and stamps, commands and refusals, tasks, delays, exit statuses."""

import math
import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_sim.world.robots import get_robot

from vla_msgs.msg import SceneState, TaskStatus
from vla_msgs.srv import SetTask

pytestmark = pytest.mark.node
ROBOT = get_robot("fr3")
JOINTS, IMAGE, INFO, WRIST = "/joint_states", "/camera/image_raw", "/camera/camera_info", "/camera/wrist/image_raw"
SCENE, STATUS, DIAGNOSTICS = "/sim/scene_state", "/sim/task_status", "/diagnostics"
VIEWER = "/camera/viewer/image_raw"
GRIPPER = "/gripper_controller/joint_trajectory"
HOME = np.array(ROBOT.home)


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def trajectory(positions, seconds: float = 0.3, names=ROBOT.joint_names, velocities=()) -> JointTrajectory:
    point = JointTrajectoryPoint(positions=[float(p) for p in positions], velocities=[float(v) for v in velocities])
    point.time_from_start.sec, nanos = divmod(round(seconds * 1e9), 10**9)
    point.time_from_start.nanosec = nanos
    return JointTrajectory(joint_names=list(names), points=[point])


@pytest.fixture(scope="module")
def process(start_simulator):
    process = start_simulator(wrist_camera_rate=5.0, seed=3)
    process.wait_for("simulating fr3")
    return process


@pytest.fixture
def sim(process, bench):
    if not bench.heard:
        bench.listen(JointState, JOINTS)
        bench.listen(Image, IMAGE, qos_profile_sensor_data)
        bench.listen(CameraInfo, INFO, qos_profile_sensor_data)
        bench.listen(Image, WRIST, qos_profile_sensor_data)
        bench.listen(SceneState, SCENE)
        bench.listen(TaskStatus, STATUS)
        bench.listen(DiagnosticArray, DIAGNOSTICS)
        bench.spin_until(lambda: bench.heard[JOINTS] and bench.heard[IMAGE] and bench.heard[SCENE])
    yield bench
    assert process.popen.poll() is None, process.output
    assert "Traceback" not in process.output


def arm(sim) -> np.ndarray:
    return np.array(sim.fresh(JOINTS)[-1].position[:7])


def go_home(sim) -> None:
    sim.send(ROBOT.arm_command_topic, trajectory(HOME, 0.5))
    sim.spin_until(lambda: np.allclose(arm(sim), HOME, atol=0.01))


def test_rates_stamps_and_frames(sim):
    for topic in (JOINTS, IMAGE, INFO, WRIST, SCENE):
        sim.heard[topic].clear()
    sim.spin(4.0)
    expected = {JOINTS: (100.0, 0.01), IMAGE: (10.0, 0.1), INFO: (10.0, 0.1), WRIST: (5.0, 0.2), SCENE: (20.0, 0.05)}
    for topic, (rate, period) in expected.items():
        stamps = np.array([stamp_ns(message) for _, message in sim.heard[topic]]) * 1e-9
        assert 2.0 * rate <= len(stamps) <= 4.8 * rate + 2, topic  # fewer where the machine is loaded
        assert np.all(np.diff(stamps) >= 0.0), topic
        assert topic == SCENE or np.all(np.diff(stamps) > 0.0), topic  # a late state may be told twice
        assert np.median(np.diff(stamps)) == pytest.approx(period, rel=0.3), topic
        ages = [arrival * 1e-9 - stamp for (arrival, _), stamp in zip(sim.heard[topic], stamps, strict=True)]
        assert -0.001 < np.median(ages) < 0.3, topic
    joints = sim.heard[JOINTS][-1][1]
    assert tuple(joints.name) == ROBOT.joint_names + ROBOT.finger_joint_names
    assert len(joints.position) == len(joints.velocity) == 9
    image = sim.heard[IMAGE][-1][1]
    assert (image.encoding, image.height, image.width, image.step) == ("rgb8", 256, 320, 960)
    assert len(image.data) == 256 * 960
    assert image.header.frame_id == "camera_optical_frame"


def test_camera_info_belongs_to_the_image(sim):
    info = sim.fresh(INFO)[-1]
    assert (info.height, info.width, info.distortion_model) == (256, 320, "plumb_bob")
    k = np.reshape(info.k, (3, 3))
    assert k[0, 0] == k[1, 1] > 256
    np.testing.assert_allclose(k[:2, 2], (159.5, 127.5))
    np.testing.assert_array_equal(np.reshape(info.p, (3, 4))[:, :3], k)
    sim.heard[IMAGE].clear()
    stamps = [stamp_ns(info) for info in sim.fresh(INFO, 5)]
    sim.spin_until(lambda: {stamp_ns(message) for _, message in sim.heard[IMAGE]} & set(stamps))


def test_scene_state_is_the_truth_in_the_base_frame(sim):
    scene = sim.fresh(SCENE)[-1]
    assert scene.header.frame_id == ROBOT.base_frame
    assert len(scene.names) == len(scene.poses) >= 2
    assert abs(scene.ee_pose.position.x - ROBOT.table_center_x) < 0.2
    assert 0.0 <= scene.gripper_width <= 0.081
    for pose in (*scene.poses, scene.ee_pose):
        q = pose.orientation
        assert q.x**2 + q.y**2 + q.z**2 + q.w**2 == pytest.approx(1.0)


def test_a_trajectory_moves_the_joints_whatever_their_order(sim):
    go_home(sim)
    target = HOME + 0.1
    sim.send(ROBOT.arm_command_topic, trajectory(target[::-1], names=ROBOT.joint_names[::-1]))
    sim.spin_until(lambda: np.allclose(arm(sim), target, atol=0.01))
    go_home(sim)


def test_gripper_closes_and_opens(sim):
    for travel in (0.0, 0.04):
        sim.send(GRIPPER, trajectory([travel], names=ROBOT.finger_joint_names[:1]))
        sim.spin_until(lambda travel=travel: abs(sim.fresh(SCENE)[-1].gripper_width - 2 * travel) < 2e-3)


def test_refused_trajectories_leave_the_arm_and_are_counted(sim, process):
    go_home(sim)
    names, later = ROBOT.joint_names, HOME + 0.2
    twice = trajectory(later)
    twice.points = [twice.points[0], twice.points[0]]
    bad = [
        trajectory(later[:6], names=names[:6]),
        trajectory(later, names=("panda_joint1", *names[1:])),
        trajectory([*later[:6], math.nan]),
        trajectory(later, velocities=[math.inf] * 7),
        trajectory(later[:6]),
        twice,
        trajectory(later + 10.0),
    ]
    stale = trajectory(later)
    stale.header.stamp.sec = 1_000_000
    for message in (*bad, stale):
        sim.send(ROBOT.arm_command_topic, message)
    sim.send(GRIPPER, trajectory([math.nan], names=ROBOT.finger_joint_names[:1]))
    sim.spin(0.7)
    np.testing.assert_allclose(arm(sim), HOME, atol=0.01)

    def commands():
        return next(s for s in sim.fresh(DIAGNOSTICS)[-1].status if s.name == "simulator_node: commands")

    counts = {}

    def all_counted() -> bool:
        counts.update({item.key: item.value for item in commands().values})
        return counts.get("refused") == "9"

    sim.spin_until(all_counted)
    kinds = ("joint_names", "not_finite", "lengths", "times", "beyond_stop", "in_the_past")
    assert [counts[kind] for kind in kinds] == ["2", "3", "1", "1", "1", "1"]
    assert "arm trajectory refused: joint names: missing fr3_joint7" in process.output
    assert process.output.count("trajectory refused") < 9  # throttled


def test_an_empty_trajectory_stops_the_arm_where_it_is(sim):
    go_home(sim)
    target = HOME.copy()
    target[0] = 1.0
    sim.send(ROBOT.arm_command_topic, trajectory(target, 4.0))
    sim.spin_until(lambda: arm(sim)[0] > 0.3)
    sim.send(ROBOT.arm_command_topic, JointTrajectory())
    sim.spin(0.5)
    stopped = arm(sim)
    sim.spin(0.5)
    np.testing.assert_allclose(arm(sim), stopped, atol=0.005)
    assert 0.3 < stopped[0] < 0.95
    go_home(sim)


def test_a_stamped_trajectory_is_already_under_way(sim):
    go_home(sim)
    message = trajectory(HOME + 0.05, 0.5)
    now = time.time_ns()
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 10**9)
    sim.send(ROBOT.arm_command_topic, message)
    sim.spin_until(lambda: np.allclose(arm(sim), HOME + 0.05, atol=0.01))
    go_home(sim)


def test_set_task_lays_the_table_and_judges(sim):
    before = arm(sim)
    request = SetTask.Request(instruction="push the red block to the left", seed=5)
    response = sim.call(SetTask, "/sim/set_task", request)
    assert response.accepted, response.reason
    assert (response.family, response.instruction) == ("push", request.instruction)
    sim.spin_until(lambda: "red block" in sim.fresh(SCENE)[-1].names)
    np.testing.assert_allclose(arm(sim), before, atol=0.02)
    statuses = sim.fresh(STATUS, 10)
    assert (statuses[-1].instruction, statuses[-1].family, statuses[-1].success) == (request.instruction, "push", False)
    assert statuses[-1].elapsed - statuses[0].elapsed == pytest.approx(0.9, abs=0.5)
    assert 0.2 < statuses[-1].real_time_factor < 1.1


def test_set_task_draws_one_when_there_is_no_instruction(sim):
    responses = [sim.call(SetTask, "/sim/set_task", SetTask.Request(family="near", seed=8)) for _ in range(2)]
    assert all(response.accepted for response in responses)
    assert responses[0].family == "near"
    assert responses[0].instruction == responses[1].instruction


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (SetTask.Request(instruction="make coffee"), "pick up the red block"),
        (SetTask.Request(instruction="x" * 10_000), "512"),
        (SetTask.Request(instruction="pick up the plaid block 🤖"), "red block"),
        (SetTask.Request(family="fold"), "pick, place, near, push"),
        (SetTask.Request(seed=-5), "0 or more"),
    ],
)
def test_set_task_refuses_with_the_reason_and_changes_nothing(sim, request_, reason):
    good = sim.call(SetTask, "/sim/set_task", SetTask.Request(instruction="pick up the red block", seed=1))
    assert good.accepted
    sim.spin_until(lambda: sim.fresh(STATUS)[-1].instruction == "pick up the red block")
    names = sim.fresh(SCENE, 3)[-1].names
    response = sim.call(SetTask, "/sim/set_task", request_)
    assert not response.accepted
    assert reason in response.reason
    assert len(response.reason) < 1000
    assert sim.fresh(SCENE, 3)[-1].names == names
    assert sim.fresh(STATUS)[-1].instruction == "pick up the red block"


def set_live(sim, name: str, number: float):
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=number)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return sim.call(SetParameters, "/simulator_node/set_parameters", request).results[0]


def test_camera_delay_keeps_the_stamp_of_capture(sim):
    assert set_live(sim, "camera_delay", 0.4).successful
    sim.spin(1.0)
    sim.heard[IMAGE].clear()
    sim.spin(1.5)
    stamps = [stamp_ns(message) for _, message in sim.heard[IMAGE]]
    ages = [(arrival - stamp) * 1e-9 for (arrival, _), stamp in zip(sim.heard[IMAGE], stamps, strict=True)]
    assert 0.39 < np.median(ages) < 0.8
    assert np.median(np.diff(stamps)) * 1e-9 == pytest.approx(0.1, rel=0.1)  # the rate stays
    assert stamps == sorted(stamps)
    assert set_live(sim, "camera_delay", 0.0).successful
    assert not set_live(sim, "camera_delay", -1.0).successful
    sim.spin(0.6)


def test_outside_camera_is_turned_on_and_off_live(sim):
    sim.listen(Image, VIEWER, qos_profile_sensor_data)
    sim.spin(0.5)
    assert not sim.heard[VIEWER]
    assert set_live(sim, "viewer_camera_rate", 10.0).successful
    image = sim.fresh(VIEWER, 5)[-1]
    assert len(image.data) == 3 * image.height * image.width
    assert sim.fresh(IMAGE)[-1].height == 256  # the policy's camera continues
    assert set_live(sim, "viewer_camera_rate", 0.0).successful
    sim.spin(0.7)
    sim.heard[VIEWER].clear()
    sim.spin(0.5)
    assert not sim.heard[VIEWER]


def test_action_delay_holds_commands_back(sim):
    go_home(sim)
    assert set_live(sim, "action_delay", 0.6).successful
    sent = time.monotonic()
    sim.send(ROBOT.arm_command_topic, trajectory(HOME + 0.1, 0.1))
    sim.spin_until(lambda: not np.allclose(arm(sim), HOME, atol=0.01))
    assert time.monotonic() - sent > 0.55
    sim.spin_until(lambda: np.allclose(arm(sim), HOME + 0.1, atol=0.01))
    assert set_live(sim, "action_delay", 0.0).successful
    go_home(sim)


def test_diagnostics_name_pace_and_cameras(sim):
    statuses = {status.name: status for status in sim.fresh(DIAGNOSTICS)[-1].status}
    assert set(statuses) == {f"simulator_node: {part}" for part in ("physics", "cameras", "commands")}
    values = {item.key: item.value for item in statuses["simulator_node: physics"].values}
    assert 0.2 < float(values["real_time_factor"]) < 1.1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_quietly_on_a_signal(start_simulator, number):
    process = start_simulator(robot="wx250s", camera_delay=0.2, task="put the red block in the bowl")
    process.wait_for("simulating wx250s")
    time.sleep(0.5)
    assert process.end(number) == 0
    assert "Traceback" not in process.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_signal_while_it_starts_ends_it_quietly_too(start_simulator, number, seconds):
    process = start_simulator()
    process.wait_until_caught(signal.SIGTERM)  # Python itself handles SIGINT from the first moment
    time.sleep(seconds)
    assert process.end(number) == 0
    assert "Traceback" not in process.output


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"robot": "ur5"}, ("ur5", "fr3", "wx250s")),
        ({"camera_rate": -1.0}, ("camera_rate", "0", "60")),
        ({"camera_rate": "fast"}, ("camera_rate", "number")),
        ({"camera_width": 100000}, ("camera_width", "1280")),
        ({"variation": "fog"}, ("unknown variation 'fog'", "camera", "trained")),
    ],
)
def test_wrong_parameters_end_in_one_line_and_status_2(start_simulator, parameters, words):
    process = start_simulator(**parameters)
    assert process.wait() == 2
    line = process.output.strip().splitlines()[-1]
    assert line.startswith("simulator_node: ")
    assert all(word in line for word in words)
    assert "Traceback" not in process.output


def test_a_first_task_that_is_none_is_said_and_the_robot_still_there(start_simulator):
    process = start_simulator(task="make coffee", camera_rate=0.0)
    process.wait_for("simulating fr3")
    assert "nothing is judged" in process.output
    assert process.end() == 0


def test_no_renderer_is_said_in_one_line(start_simulator, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    monkeypatch.delenv("DISPLAY", raising=False)
    process = start_simulator()
    assert process.wait() == 1
    assert "simulator_node: MuJoCo cannot render with MUJOCO_GL=glfw" in process.output
    assert "libegl1" in process.output


def test_without_egl_osmesa_is_tried(start_simulator, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", "99")
    process = start_simulator(camera_rate=0.0)
    process.wait_for("trying OSMesa")
    try:
        process.wait_for("simulating fr3", timeout=60.0)  # where OSMesa is installed
        assert process.end() == 0
    except AssertionError:
        assert process.wait() == 1
        assert "simulator_node: MuJoCo cannot render with MUJOCO_GL=osmesa" in process.output
