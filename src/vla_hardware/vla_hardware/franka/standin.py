# SPDX-License-Identifier: Apache-2.0
"""franky-sim in place of a Franka: a program that speaks libfranka's protocol on loopback, with faults on request.

    franka_sim --address 127.0.0.1          then, on its standard input: reflex NAME | mode NAME | record FILE | state

On the real time of a machine that has it; a slow machine makes the arm's clock slow, which never leaps.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import threading
import time
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from vla_core.realtime import ask_for_real_time
from vla_core.robot import load_robot_config

from vla_hardware.franka.standin_hand import Fingers, answering_server

TICK_S = 0.001
BACKLOG_S = 0.02  # [s] that are caught up; more is lost time
ERRORS = (  # names of the first flags of the protocol
    "joint_position_limits_violation",
    "cartesian_position_limits_violation",
    "self_collision_avoidance_violation",
    "joint_velocity_violation",
    "cartesian_velocity_violation",
    "force_control_safety_violation",
    "joint_reflex",
    "cartesian_reflex",
)
FLAGS = 41
STATE_TICKS = 5  # between two recorded states
COMMAND_ROW = 10  # time [s], velocities (7,) [rad/s], whether the motion ended, number of the state that is answered
STATE_ROW = 16  # time of the arm and of the system [s], positions (7,) [rad], velocities (7,) [rad/s]
COMMANDS = "reflex NAME, mode NAME, record FILE"


class Standin:
    """One arm on one loopback address."""

    def __init__(self, address: str, home: Sequence[float]) -> None:
        """Bind the address; raises OSError where it is taken."""
        from franky_sim import SimulationServer, franka_robot_server
        from franky_sim.franka_robot_protocol import AutomaticErrorRecoveryCommand
        from franky_sim.franka_robot_server import FrankaRobotServer
        from franky_sim.mujoco_simulator import MujocoSimulator

        standin = self

        class Recovery(AutomaticErrorRecoveryCommand):  # type: ignore[misc]
            """Clears a reflex, as a real arm's recovery does."""

            def handle(self, server: Any) -> None:
                if standin.mode == "Reflex":
                    standin.mode = ""
                super().handle(server)

        franka_robot_server.AutomaticErrorRecoveryCommand = Recovery  # the robot's server looks it up when it is made
        franka_robot_server.FrankaGripperServer = answering_server()  # likewise

        class FaultyServer(FrankaRobotServer):  # type: ignore[misc]
            """The robot's server, with a mode and errors of our choice and a memory of its commands."""

            @property
            def robot_state(self) -> Any:
                return standin.disguise(super().robot_state)

            def start_motion(self, *arguments: Any) -> None:
                if standin.mode:
                    raise ValueError(f"not possible in the mode {standin.mode}")
                super().start_motion(*arguments)

            def _handle_udp_command(self, command_data: bytes) -> None:
                super()._handle_udp_command(command_data)
                standin.note(self, command_data)

        class Server(SimulationServer):  # type: ignore[misc]
            """As SimulationServer, with our robot's server."""

            def init(self) -> None:
                for robot in self.sim.robots:
                    server = FaultyServer(robot, [address])
                    server.init()
                    self.robot_servers.append(server)
                self.sim.start()

        self.mode, self._errors = "", (False,) * FLAGS
        self._recorded: tuple[array[float], array[float]] | None = None  # commands, states
        self._file = ""
        self._simulator = MujocoSimulator()
        robot = self._simulator.add_robot(initial_q=home, initial_hand_width=0.08)
        # The acceleration that the arm reports, from which franky plans on: as commanded, not filtered.
        robot._tracked_state_components["dq_d"].observers["fd"]._alpha = 0.0
        self._server = Server(self._simulator)
        self._time = 0.0
        self._fingers = Fingers(robot, address)
        self.commands: queue.Queue[str] = queue.Queue()

    def disguise(self, state: Any) -> Any:
        """Return a state with the mode and the errors that were asked for."""
        from franky_sim.franka_robot_protocol import RobotMode

        if not self.mode:
            return state
        return state.replace(robot_mode=RobotMode[f"k{self.mode}"], errors=self._errors, reflex_reason=self._errors)

    def note(self, server: Any, data: bytes) -> None:
        """Keep the velocity that a command asks for."""
        if self._recorded is not None:
            from franky_sim.franka_robot_protocol import UDPCommand

            command = UDPCommand.from_bytes(data)
            end = float(command.motion_generation_finished)
            self._recorded[0].extend((self._time, *command.dq_c, end, float(command.message_id)))

    def _note_state(self) -> None:
        """Keep where the arm is."""
        if self._recorded is not None and round(self._time / TICK_S) % STATE_TICKS == 0:
            state = self._robot.robot.inner_state
            self._recorded[1].extend((self._time, time.time(), *state.q, *state.dq))

    def run(self, stopping: threading.Event) -> None:
        """Step in real time until `stopping` is set."""
        with self._simulator, self._server as server:
            self._robot = server.robot_servers[0]
            print(f"franka_sim: ready on {self._robot.hostname}", flush=True)
            due = time.monotonic()
            while not stopping.is_set():
                while not self.commands.empty():
                    self._obey(self.commands.get())
                self._fingers.meet()
                server.run_once(realtime=False)
                self._time += TICK_S
                self._note_state()
                due += TICK_S
                now = time.monotonic()
                if now < due:
                    time.sleep(due - now)
                elif now > due + BACKLOG_S:
                    due = now

    def _obey(self, line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word == "record":
            self._record(rest)
        elif word == "mode":
            self.mode, self._errors = ("" if rest in ("", "Idle") else rest), (False,) * FLAGS
        elif word == "reflex":
            self._reflex(rest or "joint_reflex")
        elif word:
            print(f"franka_sim: unknown command {line.strip()!r}; valid: {COMMANDS}", file=sys.stderr, flush=True)
            return
        print(f"franka_sim: done {line.strip()}", flush=True)

    def _record(self, file: str) -> None:
        """Write what was recorded, and begin again where there is a `file`."""
        if self._recorded is not None:
            commands, states = (np.frombuffer(rows) for rows in self._recorded)
            np.savez(self._file, commands=commands.reshape(-1, COMMAND_ROW), states=states.reshape(-1, STATE_ROW))
        self._recorded, self._file = ((array("d"), array("d")) if file else None), file

    def _reflex(self, name: str) -> None:
        """Stop as a reflex does: the motion is aborted, and the error stays until the recovery."""
        from franky_sim.franka_robot_protocol import MoveStatus, RobotCommand
        from franky_sim.franka_server import BaseCommand

        self.mode, flags = "Reflex", [False] * FLAGS
        flags[ERRORS.index(name)] = True
        self._errors = tuple(flags)
        motion = self._robot.current_motion_id
        self._robot.stop_motion(send_preemption_signal=False)
        if motion:
            BaseCommand.send_response(self._robot._tcp_socket, RobotCommand.kMove, motion, MoveStatus.kReflexAborted)
            self._robot.reset_current_motion_id()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the standard input ends with 'quit', or a signal comes."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--ros-args" in words:  # of a launch
        words = words[: words.index("--ros-args")]
    parser = argparse.ArgumentParser(prog="franka_sim", description=__doc__)
    parser.add_argument("--address", default="127.0.0.1", help="loopback address to serve on (default: %(default)s)")
    parser.add_argument("--real-time", action="store_true", help="with real-time priority where this may have it")
    options = parser.parse_args(words)
    robot = load_robot_config("fr3")
    try:
        standin = Standin(options.address, robot.home.tolist())
    except ImportError as error:
        print(
            f"franka_sim: {error}; install it with: ./vla run pip install -r requirements/hardware.txt", file=sys.stderr
        )
        return 2
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    if options.real_time:
        ask_for_real_time()
    threading.Thread(target=_listen, args=(standin, stopping), daemon=True).start()
    try:
        standin.run(stopping)
    except OSError as error:
        print(f"franka_sim: cannot serve on {options.address}: {error}", file=sys.stderr)
        return 2
    return 0


def _listen(standin: Standin, stopping: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "quit":
            stopping.set()
            return
        standin.commands.put(line)


if __name__ == "__main__":
    sys.exit(main())
