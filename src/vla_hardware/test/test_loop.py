# SPDX-License-Identifier: Apache-2.0
"""The driver's thread against an arm of the test: a fault holds it until the recovery; reading alone moves nothing."""

import numpy as np
import pytest
from vla_core.robot import load_robot_config
from vla_core.trajectory.spline import TrajectoryPoint
from vla_hardware.franka.arm import ArmReading
from vla_hardware.franka.errors import ArmError, ArmFault, exception_fault, mode_fault, reach
from vla_hardware.franka.limits import velocity_bounds
from vla_hardware.franka.loop import STALE_S, ArmLoop, ClockWatch
from vla_hardware.stream import VelocityStream

ROBOT = load_robot_config("fr3")
HOME, REST = ROBOT.home, np.zeros(7)


class TestArm:
    """Follows at once; its clock runs with the ticks unless it is frozen."""

    __test__ = False

    def __init__(self) -> None:
        self.position, self.mode, self.errors, self.clock = HOME.copy(), "Idle", (), 0.0
        self.velocities: list[np.ndarray] = []
        self.raises: ArmFault | None = None
        self.lost = self.frozen = False
        self.recovered = 0

    def read(self) -> ArmReading:
        if self.lost:
            raise ArmFault("NetworkException", "connection lost")
        self.clock += 0.0 if self.frozen else 0.01
        return ArmReading(self.position.copy(), REST, REST, self.clock, self.mode, self.errors, 1.0)

    def fault_of(self, reading: ArmReading) -> ArmFault | None:
        return mode_fault(reading.mode, reading.errors, "arm")

    def move(self, velocity: np.ndarray, duration: float) -> None:
        if self.raises:
            raise self.raises
        self.velocities.append(velocity)
        self.position += 0.01 * velocity

    def poll(self) -> None:
        if self.raises:
            raise self.raises

    def recover(self) -> None:
        self.recovered += 1
        if self.mode == "UserStopped":
            raise ArmError("the stop button is pressed")
        self.mode, self.errors, self.raises, self.lost, self.frozen = "Idle", (), None, False, False


class Rig:
    def __init__(self, **options) -> None:
        self.arm, self.stream, self.published = TestArm(), VelocityStream(velocity_bounds(ROBOT)), []
        self.loop = ArmLoop(self.arm, self.stream, 0.01, self.published.append, **options)
        self.now = 0.0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.loop.tick(self.now)
            self.now += 0.01

    def follow(self) -> None:
        points = (TrajectoryPoint(0.0, HOME, REST), TrajectoryPoint(2.0, HOME + 0.2, REST))
        self.stream.follow(self.now, points, self.arm.position)


def spoil(arm: TestArm, fault: str) -> None:
    """Let one fault happen."""
    if fault == "reflex":
        arm.mode, arm.errors = "Reflex", ("joint_reflex",)
    elif fault == "stop button":
        arm.mode = "UserStopped"
    elif fault == "refused motion":
        arm.raises = ArmFault("joint_velocity_violation", "motion aborted")
    elif fault == "lost":
        arm.lost = True
    else:
        arm.frozen = True


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("reflex", "joint_reflex"),
        ("stop button", "UserStopped"),
        ("refused motion", "joint_velocity_violation"),
        ("lost", "NetworkException"),
        ("frozen", "stale_state"),
    ],
)
def test_a_fault_is_named_and_the_arm_is_held_until_it_is_recovered(fault, name) -> None:
    rig = Rig()
    rig.follow()
    rig.run(0.5)
    assert rig.arm.velocities
    spoil(rig.arm, fault)
    rig.run(STALE_S + 0.05)
    assert rig.loop.fault is not None
    assert rig.loop.fault.name == name
    moved = len(rig.arm.velocities)
    rig.follow()
    rig.run(0.2)
    assert len(rig.arm.velocities) == moved  # a new trajectory alone does not wake it
    if fault == "stop button":
        with pytest.raises(ArmError, match="stop button"):
            rig.loop.recover()
        assert rig.loop.fault is not None
        rig.arm.mode = "Idle"
    assert rig.loop.recover() == name
    rig.run(0.1)
    assert rig.loop.fault is None
    assert len(rig.arm.velocities) == moved  # what was followed before is forgotten
    points = (TrajectoryPoint(0.5, rig.arm.position + 0.01, REST),)
    rig.stream.follow(rig.now, points, rig.arm.position)
    rig.run(0.5)
    assert len(rig.arm.velocities) > moved
    assert np.abs(rig.arm.velocities[moved]).max() < 0.05  # no leap at the restart


def test_reading_only_never_commands_and_still_names_a_fault() -> None:
    rig = Rig(read_only=True)
    rig.follow()
    rig.run(0.5)
    rig.arm.mode, rig.arm.errors = "Reflex", ("cartesian_reflex",)
    rig.run(0.1)
    assert not rig.arm.velocities
    assert rig.loop.fault.name == "cartesian_reflex"
    assert len(rig.published) == 60


def test_nothing_to_recover_from_is_no_recovery() -> None:
    rig = Rig()
    rig.run(0.1)
    assert rig.loop.recover() == ""
    assert rig.arm.recovered == 0


def test_an_arm_that_left_its_trajectory_is_held() -> None:
    rig = Rig()
    rig.follow()
    rig.run(0.3)
    rig.arm.position = rig.arm.position - 0.5  # pushed away
    rig.run(0.05)
    assert rig.loop.deviations == 1
    assert "rad away from its trajectory" in rig.loop.deviation
    moved = len(rig.arm.velocities)
    rig.run(0.2)
    assert len(rig.arm.velocities) == moved
    assert rig.loop.fault is None  # no fault of the arm: a trajectory that begins where it is now may follow


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_the_rate_of_the_arms_clock_is_measured(rate) -> None:
    watch = ClockWatch()
    for k in range(400):
        still = watch.update(0.01 * k, rate * 0.01 * k)
    assert watch.rate == pytest.approx(rate, rel=0.02)
    assert still == 0.0


def test_modes_and_exceptions_have_names_and_remedies() -> None:
    assert mode_fault("Idle", (), "arm") is None
    assert mode_fault("Move", (), "arm") is None
    assert "unlock the joints" in str(mode_fault("Other", (), "10.0.0.1"))
    assert mode_fault("Reflex", ("joint_reflex",), "arm").name == "joint_reflex"
    text = 'libfranka: Move command aborted: motion aborted by reflex! ["cartesian_reflex"]\nsuccess_rate: 1'
    fault = exception_fault(RuntimeError(text), ())
    assert fault.name == "cartesian_reflex"
    assert str(fault).startswith("Move command aborted")
    assert exception_fault(RuntimeError("no names"), ()).name == "RuntimeError"


@pytest.mark.parametrize(
    ("address", "said"),
    [("", "set robot_ip"), ("127.99.98.97", "Activate FCI"), ("no such host", "is no address")],
)
def test_an_address_without_an_arm_is_refused_with_what_to_do(address, said) -> None:
    with pytest.raises(ArmError, match=said):
        reach(address, timeout=0.5)
