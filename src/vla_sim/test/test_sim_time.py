# SPDX-License-Identifier: Apache-2.0
"""Simulated time: /clock, stamps, pause, step and real-time factor of simulator_node; every wait is on the clock."""

import time

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vla_msgs")

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from vla_sim.world.robots import get_robot

from vla_msgs.msg import SceneState
from vla_msgs.srv import SetTask

pytestmark = pytest.mark.node
CLOCK, JOINTS, IMAGE, SCENE = "/clock", "/joint_states", "/camera/image_raw", "/sim/scene_state"
ROBOT = get_robot("fr3")
A_DAY_S = 86_400.0  # simulated time starts at zero: no stamp is of the wall clock


def seconds(stamp) -> float:
    return stamp.sec + stamp.nanosec * 1e-9


@pytest.fixture(scope="module")
def process(start_simulator):
    process = start_simulator(sim_time="true", seed=3)
    process.wait_for("simulating fr3")
    return process


@pytest.fixture
def sim(process, bench):
    if not bench.heard:
        bench.listen(Clock, CLOCK)
        bench.listen(JointState, JOINTS)
        bench.listen(Image, IMAGE, qos_profile_sensor_data)
        bench.listen(SceneState, SCENE)
        bench.spin_until(lambda: bench.heard[JOINTS] and bench.heard[IMAGE] and bench.heard[SCENE])
    assert pause(bench, False).success
    assert set_live(bench, "real_time_factor", 1.0).successful
    yield bench
    assert process.popen.poll() is None, process.output
    assert "Traceback" not in process.output


def pause(sim, paused: bool) -> SetBool.Response:
    return sim.call(SetBool, "/simulator_node/pause", SetBool.Request(data=paused))


def step(sim) -> Trigger.Response:
    return sim.call(Trigger, "/simulator_node/step", Trigger.Request())


def set_live(sim, name: str, number: float):
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=number)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return sim.call(SetParameters, "/simulator_node/set_parameters", request).results[0]


def clock(sim) -> float:
    return seconds(sim.fresh(CLOCK)[-1].clock)


def test_clock_and_stamps_are_simulated_time(sim):
    for topic in (CLOCK, JOINTS, IMAGE, SCENE):
        sim.heard[topic].clear()
    start = clock(sim)
    sim.spin_until(lambda: seconds(sim.heard[CLOCK][-1][1].clock) > start + 2.0)
    ticks = np.array([seconds(message.clock) for _, message in sim.heard[CLOCK]])
    assert np.all(np.diff(ticks) > 0.0)
    for topic, period in ((JOINTS, 0.01), (IMAGE, 0.1), (SCENE, 0.05)):
        stamps = np.array([seconds(message.header.stamp) for _, message in sim.heard[topic]])
        assert stamps.max() < A_DAY_S
        assert np.all(np.diff(stamps) > 0.0), topic
        assert np.median(np.diff(stamps)) == pytest.approx(period, rel=0.3), topic


def test_a_paused_world_stands_still_and_its_clock_is_still_told(sim):
    assert pause(sim, True).success
    sim.spin(0.3)  # messages under way
    sim.heard[JOINTS].clear()
    times = [clock(sim) for _ in range(3)]
    sim.spin(0.5)
    assert len({*times, clock(sim)}) == 1
    assert not sim.heard[JOINTS]
    assert sim.fresh(SCENE)  # for those who come now
    request = SetTask.Request(instruction="pick up the red block", seed=1)
    assert sim.call(SetTask, "/sim/set_task", request).accepted
    sim.spin_until(lambda: "red block" in sim.fresh(SCENE)[-1].names)
    assert pause(sim, False).success
    sim.spin_until(lambda: clock(sim) > times[0] + 0.2)


def test_a_step_simulates_its_size_exactly(sim):
    assert pause(sim, True).success
    sim.spin(0.3)
    for size in (0.05, 0.002, 0.4):
        assert set_live(sim, "step_size", size).successful
        before = clock(sim)
        sim.heard[JOINTS].clear()
        assert step(sim).success
        sim.spin_until(lambda before=before, size=size: abs(clock(sim) - before - size) < 1e-6)
        sim.spin(0.3)
        assert clock(sim) == pytest.approx(before + size, abs=1e-6)  # and no further
        stamp = seconds(sim.heard[JOINTS][-1][1].header.stamp)
        assert stamp == pytest.approx(before + size, abs=1e-6)


def test_a_command_is_carried_out_step_by_step(sim):
    assert pause(sim, True).success
    assert set_live(sim, "step_size", 0.1).successful
    point = JointTrajectoryPoint(positions=[position + 0.1 for position in ROBOT.home])
    point.time_from_start.nanosec = 300_000_000
    sim.send(ROBOT.arm_command_topic, JointTrajectory(joint_names=list(ROBOT.joint_names), points=[point]))
    sim.spin(0.5)
    sim.heard[JOINTS].clear()
    for _ in range(8):
        assert step(sim).success
    sim.spin_until(lambda: sim.heard[JOINTS])
    sim.spin(0.2)
    arm = np.array(sim.heard[JOINTS][-1][1].position[:7])
    np.testing.assert_allclose(arm, np.array(ROBOT.home) + 0.1, atol=0.02)


@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_the_real_time_factor_scales_the_clock(sim, factor):
    assert set_live(sim, "real_time_factor", factor).successful
    first, begun = clock(sim), time.monotonic()
    sim.spin(3.0)
    ratio = (clock(sim) - first) / (time.monotonic() - begun)
    assert ratio < 1.1 * factor
    assert ratio > 0.3 * factor  # a loaded machine loses time, which it does not make up for
    sim.heard[IMAGE].clear()
    stamps = np.array([seconds(image.header.stamp) for image in sim.fresh(IMAGE, 5)])
    assert stamps[-1] - stamps[0] > 0.29  # the camera's rate is of simulated time


def test_a_step_of_a_running_world_is_refused(sim):
    reply = step(sim)
    assert not reply.success
    assert "pause" in reply.message
    result = set_live(sim, "real_time_factor", 50.0)
    assert not result.successful


def test_on_the_wall_clock_time_cannot_be_changed(start_simulator, bench):
    wrong = start_simulator(real_time_factor=2.0)
    assert wrong.wait() == 2
    assert "sim_time:=true" in wrong.output
