# SPDX-License-Identifier: Apache-2.0
"""The controller without ROS: chunks and joint states in, one jerk-limited setpoint a tick out. Time is passed in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from vla_core.action import ActionChunk
from vla_core.robot import RobotConfig

from vla_controller.arm.arm_watch import ArmWatch
from vla_controller.arm.kinematics import Kinematics
from vla_controller.health.permission import ClockWatch, Permission
from vla_controller.intake.intake import Intake
from vla_controller.intake.targets import AcceptedChunk
from vla_controller.motion.arm_motion import ArmMotion
from vla_controller.motion.setpoint import Setpoint
from vla_controller.refusals import Refusal, RefusalLog
from vla_controller.settings import ControllerSettings
from vla_controller.teleop.teleoperation import Teleoperation
from vla_controller.trajectory.goal import TrajectoryGoal
from vla_controller.trajectory.owner import TrajectoryOwner
from vla_controller.trajectory.run import TrajectoryRun

Array = npt.NDArray[np.float64]

_LAST_WORD = 0.5  # [s] for which a setpoint at rest is repeated while joint states are stale or in doubt


class ArmController:
    """Turns any stream of action chunks into motion inside the robot's limits, or into a stop. For one thread."""

    def __init__(self, config: RobotConfig, dt: float, settings: ControllerSettings | None = None) -> None:
        """``dt`` [s] is the time between two calls of :meth:`tick`."""
        if not 0.0 < dt <= 0.2:
            raise ValueError(f"dt is {dt} s; must be in (0, 0.2] s")
        self.config = config
        self.settings = settings or ControllerSettings()
        self.kinematics = Kinematics(config)
        self.log = RefusalLog()
        self.permission = Permission()
        self._dt = dt
        self.reset()

    def reset(self, stands_at: Array | None = None) -> None:
        """Forget arm, instruction, chunks, e-stop and counts, as if just made. For the start of a simulated episode.

        ``stands_at`` (n,) [rad]: where a simulated arm is known to stand; None: joint states have to agree first.
        """
        config, settings = self.config, self.settings
        self.log.clear()
        self.motion = ArmMotion(config, settings, self.kinematics, self.log, self._dt)
        tool = self.kinematics.tool_position
        self.intake = Intake(config, settings, tool, self.log)
        self.trajectories = TrajectoryOwner(config, settings, tool, self.log)
        self.teleop = Teleoperation(self, self.motion, config, settings, self.log)
        self.watch = ArmWatch(settings, config)
        self._clock = ClockWatch(settings.max_clock_jump)
        self.permission.reset()
        self.chunks_accepted = 0
        if stands_at is not None:
            self.watch.stands_at(stands_at)
            self._begin("holding where the arm was found")

    @property
    def at_rest(self) -> bool:
        """Whether the setpoint stands still (or nothing was ever sent), and the mobile base, if there is one."""
        return self.motion.at_rest

    def withholds(self, now: float) -> bool:
        """Whether setpoints at rest need not be sent: nobody knows where the arm is, and it would leap to them."""
        return self.motion.rested > _LAST_WORD and self.watch.hindrance(now) is not None

    def update_joint_state(self, stamp: float, q: Array, qd: Array) -> bool:
        """Take the arm's measured joints (n,) [rad], [rad/s]; whether they are believed.

        Setpoints begin where the arm has stood for a while. Later joint states move them inside the limits alone.
        """
        sighting = self.watch.update(stamp, q, qd, self.motion.state, led=self.trajectories.active)
        if sighting.refusal is not None:
            self.log.add(sighting.refusal)
        if sighting.restart:
            self._begin(sighting.restart)
        elif sighting.hold and not (sighting.lead and self.motion.leading):
            self.halt(sighting.hold)
            self.motion.leading = sighting.lead
        return self.watch.q is q

    def confirm_posture(self, now: float) -> Refusal | None:
        """Begin where the joint states show the arm, as a person has confirmed; motion needs a new instruction."""
        if (refusal := self.watch.confirm(now)) is not None:
            return self.log.add(refusal)
        self.intake.stopped = True
        self._begin("the posture was confirmed; waiting for a new instruction")
        return None

    def set_instruction(self, instruction_id: str, stop: bool = False) -> None:
        """The operator's instruction: chunks of any other are refused from now on; ``stop`` halts at once."""
        if stop:
            self.stop("the operator said stop")
        elif instruction_id != self.intake.instruction or self.intake.stopped:
            self.intake.stopped = False
            self.motion.attended()
            if not (self.trajectories.active or self.teleop.active):  # else the policy's turn comes after it
                self.halt("new instruction")
        self.intake.instruction = instruction_id

    def notice_rival(self, rival: Refusal | None) -> None:
        """Halt while somebody else commands the arm, and refuse everything for that reason; None: nobody does."""
        if rival is not None and (self.permission.rival is None or not self.at_rest):
            self.halt(rival.reason)
        self.permission.rival = rival

    def stop(self, reason: str) -> None:
        """Halt, the gripper too; chunks are refused until a new instruction comes."""
        self.intake.stopped = True
        self.halt(reason)
        self.motion.forget_gripper()

    def disengage(self, reason: str) -> None:
        """Stop and refuse all motion until `engage`."""
        self.permission.engaged = False
        self.stop(reason)

    def engage(self) -> None:
        """Allow motion; after `disengage` upon a new instruction alone."""
        self.intake.stopped = self.intake.stopped or not self.permission.engaged
        self.permission.engaged = True

    def estop(self) -> None:
        """Decelerate as hard as the limits allow and hold until :meth:`reset_estop`."""
        self.permission.estopped = True
        self.halt("emergency stop")
        self.motion.forget_gripper()

    def reset_estop(self) -> Refusal | None:
        """Leave the emergency stop; refused while anything moves. Motion needs a new instruction after that."""
        if not self.at_rest:
            return self.log.add(Refusal("estop_moving", "the arm is still decelerating; reset is possible at rest"))
        if self.permission.estopped:
            self.permission.estopped, self.intake.stopped = False, True
            self.halt("emergency stop reset; waiting for a new instruction")
            self.watch.suspect()
        return None

    def go_home(self, now: float) -> Refusal | None:
        """Move to the robot's home joints from wherever it is; chunks are refused until a new instruction comes."""
        refusal, state = self.hindrance(now) or self.teleop.refusal(), self.motion.state
        if refusal is not None or state is None:
            return self.log.add(refusal or Refusal("joint_state_stale", self.watch.waiting()))
        self.halt("going home")
        self.intake.stopped = True
        self.motion.go(state, now, self.config.home)
        return None

    def start_trajectory(self, goal: TrajectoryGoal, now: float) -> TrajectoryRun:
        """Take the arm from its owner and lead it along ``goal``; chunks are refused until it is over.

        A trajectory that still runs is aborted. After it the arm holds, and the policy needs a new instruction.

        Raises:
            GoalError: the goal is not executed; whoever owns the arm keeps it.
        """
        run = self.trajectories.admit(goal, self.motion.state, self.hindrance(now) or self.teleop.refusal(), now)
        self.halt("replaced by a newer trajectory" if self.trajectories.active else "a trajectory takes the arm")
        self.trajectories.take(run)
        self.intake.stopped = True
        self.motion.follow_curve(run.curve, "following a trajectory")
        return run

    def halt(self, reason: str) -> None:
        """Drop what is planned, decelerate and hold; later chunks are followed again."""
        self.intake.situation_changed()
        if self.trajectories.end(reason):  # its tolerances let the arm be farther away than others do
            self.watch.suspect()
        self.teleop.halted()
        self.motion.drop(reason)

    def hindrance(self, now: float) -> Refusal | None:
        """Return why nothing may move at ``now`` [s]."""
        return self.permission.refusal() or self.watch.hindrance(now)

    def judge(self, chunk: ActionChunk, now: float) -> AcceptedChunk | Refusal:
        """Let a chunk through the gate at time ``now`` [s], or count and return why not; nothing moves yet."""
        refusal = self.hindrance(now) or self.teleop.refusal(chunk) or self.trajectories.refusal()
        if refusal is not None or (state := self.motion.state) is None:
            return self.log.add(refusal or Refusal("joint_state_stale", self.watch.waiting()))
        return self.intake.judge(chunk, now, self.motion.reference(state))

    def follow(self, accepted: AcceptedChunk, now: float) -> Refusal | None:
        """Follow a chunk that passed the gate, at time ``now`` [s]; it is judged again if the arm was halted since."""
        state = self.motion.state
        if state is None or not self.intake.holds(accepted):
            return self.accept(accepted.chunk, now)
        self.intake.took(accepted)
        self.motion.follow(accepted, state, now)
        self.chunks_accepted += 1
        return None

    def accept(self, chunk: ActionChunk, now: float) -> Refusal | None:
        """Judge a chunk at time ``now`` [s] and follow it from there, or say why not."""
        verdict = self.judge(chunk, now)
        return verdict if isinstance(verdict, Refusal) else self.follow(verdict, now)

    def coast(self, seconds: float) -> None:
        """The tick is ``seconds`` late: the arm has gone on along the stop that every setpoint ends with."""
        self.motion.coast(seconds)

    def tick(self, now: float) -> Setpoint | None:
        """Advance by one tick at time ``now`` [s]; None while no joint state has come."""
        self._look_around(now)
        if (motion := self.motion).state is None:
            return None
        if self.watch.q is not None:
            self._check_following(self.watch.q, now)
        self.teleop.tick(now)
        step = motion.advance(motion.state, now, self.trajectories.active)
        if step.hindrance is not None:
            (motion.drop if self.teleop.active else self.halt)(self.log.add(step.hindrance).reason)
        if (outcome := self.trajectories.judge(now, step.way.end.at_rest, self.watch.q)) is not None:
            self.halt(f"trajectory: {outcome.text}")
        return motion.setpoint(step, now, self.permission.estopped)

    def _begin(self, reason: str) -> None:
        """Setpoints begin at rest where the arm stands."""
        if self.watch.q is not None:
            self.motion.begin(self.watch.q)
            self.halt(reason)

    def _check_following(self, q: Array, now: float) -> None:
        """Hold when the arm does not follow, and lead the setpoint back to it, so that the arm never leaps."""
        motion = self.motion
        if (refusal := motion.falls_behind(self.watch.stamp, q, self.trajectories.tolerant)) is not None:
            self.halt(self.log.add(refusal).reason)
            motion.leading = True
        elif motion.state is not None and motion.idle and self.hindrance(now) is None:
            motion.leading = self.watch.is_apart(motion.state, motion.rested)
        if (flees := motion.lead(now, q)) is not None:
            self.halt(self.watch.contradict(self.log.add(flees)))

    def _look_around(self, now: float) -> None:
        """Notice a clock that jumps and joint states that stop."""
        jump, back = self._clock.look(now)
        if back:
            for part in (self.intake, self.watch, self.teleop):
                part.clock_went_back(now)
        if jump is not None:
            self.halt(f"the clock jumped: {self.log.add(jump).reason}")
        if self.motion.state is not None and (silence := self.watch.fell_silent(now)) is not None:
            self.halt(self.log.add(silence).reason)
