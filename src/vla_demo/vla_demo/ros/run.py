# SPDX-License-Identifier: Apache-2.0
"""One run: the graph as a child, an operator in it, episodes until they are over."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vla_demo.ros.client import GraphClient
from vla_demo.run.child import GraphEndedError, GraphProcess, console_address, find_vla_up
from vla_demo.run.loopback import free_loopback
from vla_demo.run.plans import Plan
from vla_demo.run.progress import Progress
from vla_demo.run.samples import Recording
from vla_demo.run.session import Current, Session

if TYPE_CHECKING:
    from vla_demo.picture.live_video import LiveVideo

VIEWER_HZ = 10.0
FCI_PORT = 1337  # of libfranka's protocol
NICE = 5  # the recorder yields to the graph that it watches


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What is started and how long it may take. Times in [s]; `log` takes the graph's output."""

    robot: str
    policy: str
    checkpoint: str
    seed: int
    timeout_s: float
    start_timeout_s: float
    log: Path
    pictures: bool
    namespace: str = ""
    console: bool = False  # whether a person may watch in a browser
    driver: str = ""  # of the arm, as the graph's argument; empty: the simulator moves it
    variation: str = ""  # of the simulated tables, as the graph's argument; empty: the plain table

    def command(self) -> tuple[str, ...]:
        """The command line that starts the graph; raises GraphEndedError where it is not built."""
        console = str(self.console).lower()
        given = {"checkpoint": self.checkpoint, "namespace": self.namespace, "console": console, "driver": self.driver}
        given["variation"] = self.variation
        if self.driver:
            given["robot_ip"] = free_loopback(FCI_PORT, os.getpid())
        words = (f"robot:={self.robot}", "sim:=mujoco", f"policy:={self.policy}", f"seed:={self.seed}")
        return (str(find_vla_up()), *words, *(f"{name}:={text}" for name, text in given.items() if text))


def run(
    settings: RunSettings,
    plans: Sequence[Plan],
    recording: Recording,
    progress: Progress,
    video: LiveVideo | None = None,
) -> None:
    """Give `plans` to a graph of its own, filling `recording`; the graph is stopped when this returns or raises.

    `video` is drawn along with the run.

    Raises GraphEndedError when the graph does not come up in time, ends by itself or does not stop cleanly.
    """
    with GraphProcess(settings.command(), settings.log) as graph, progress:
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        with GraphClient(recording, settings.pictures, graph.check, settings.namespace) as client:
            _wait_until_ready(client, graph, settings, progress)
            if video:
                video.start()

            def turn(current: Current | None) -> None:
                progress.running(current, client.now())
                if video:
                    video.show(current)

            Session(
                client,
                plans,
                settings.timeout_s,
                on_turn=turn,
                on_episode=progress.finished,
            ).run()
        progress.say("stopping the graph")
    if graph.exit_code != 0:
        progress.say(f"warning: the graph stopped with exit status {graph.exit_code}:\n{graph.tail(6)}")


def _wait_until_ready(client: GraphClient, graph: GraphProcess, settings: RunSettings, progress: Progress) -> None:
    start = time.monotonic()

    def show() -> None:
        progress.waiting(client.missing(), time.monotonic() - start)

    if not client.wait(lambda: not client.missing(), settings.start_timeout_s, show):
        missing = "\n".join(f"  - {name}" for name in client.missing())
        raise GraphEndedError(
            f"the graph was not ready after {settings.start_timeout_s:g} s; missing:\n{missing}\n"
            f"end of {settings.log}:\n{graph.tail()}"
        )
    progress.say(f"the graph is ready after {time.monotonic() - start:.1f} s")
    if address := console_address(settings.log.read_text(encoding="utf-8", errors="replace")):
        progress.say(f"watch and stop it in a browser: {address}")
    client.stop_observing()
    refusal = client.start_viewer(VIEWER_HZ) if settings.pictures else ""
    if refusal:
        progress.say(f"warning: no outside view in the video: {refusal}")
