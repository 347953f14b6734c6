# SPDX-License-Identifier: Apache-2.0
"""`vla bench recording`: the controller's periods and the policy's rate with recording off and on, by turns in one run.

Off: recorder_node is inactive. On: it records an episode, images as JPEG, and keeps the last seconds in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_demo.period import period_figures
from vla_demo.run.child import GraphEndedError, GraphProcess, find_vla_up, private_environment

START_S, ANSWER_S, SETTLE_S = 120.0, 30.0, 3.0  # [s]
NICE = 5  # this process yields to what it watches
RATE = 20.0  # [Hz] of the controller


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the figures; return 0 when the graph ran to the end."""
    parser = argparse.ArgumentParser(prog="vla bench recording", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="[s] of each turn (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="off and on, each so often (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1 or expert (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/recording.json"), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    os.environ.update(private_environment(os.environ, os.getpid()))
    try:
        result = _measure(options)
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name in ("off", "on"):
        row = result[name]
        shown = {key: row[key] for key in ("period_p50_ms", "period_p99_ms", "period_max_ms", "missed")}
        print(f"{name:3}: {shown}, {row['chunks_per_s']:.2f} chunks/s")
    print(f"written: {options.out}")
    return 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    from vla_demo.ros.client import GraphClient  # only now: rclpy reads the environment
    from vla_demo.ros.period import instruct, keep_busy
    from vla_demo.run.samples import Recording

    recording = Recording()
    periods: dict[str, list[float]] = {"off": [], "on": []}
    chunks = {"off": 0, "on": 0}
    log = options.out.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        graph_options = (f"policy:={options.policy}", f"controller_rate:={RATE}", f"recordings:={folder}")
        words = (str(find_vla_up()), *graph_options, "console:=false")
        with GraphProcess(words, log) as graph, GraphClient(recording, False, graph.check) as client:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
            if not client.wait(lambda: not client.missing(), START_S):
                raise GraphEndedError(f"the graph was not ready after {START_S:g} s\n{graph.tail()}")
            client.stop_observing()
            recorder = _Recorder(client)
            for turn in range(options.turns):
                for name in ("off", "on"):
                    recorder.switch(name == "on")
                    instruct(client, 0)
                    client.wait(lambda: False, SETTLE_S)
                    first, sent = len(recording.controller), len(recording.chunks)
                    keep_busy(client, options.seconds, lambda left: None)
                    periods[name] += [tick.tick_period for tick in recording.controller[first:]]
                    chunks[name] += len(recording.chunks) - sent
                    print(f"turn {turn + 1}, {name}: measured", flush=True)
    total = options.seconds * options.turns
    rows = {name: {**period_figures(periods[name], RATE), "chunks_per_s": chunks[name] / total} for name in periods}
    return {"cores": os.cpu_count(), "load_average": os.getloadavg()[0], "policy": options.policy, **rows}


class _Recorder:
    """Switches recorder_node."""

    def __init__(self, client: Any) -> None:
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        from vla_msgs.srv import StartRecording

        self._client, self._active = client, True
        self._start = StartRecording.Request(task="benchmark")
        self._change = {
            True: ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE)),
            False: ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE)),
        }
        self._state = client.connect(ChangeState, "/recorder_node/change_state")
        self._begin = client.connect(StartRecording, "/recorder_node/start")

    def switch(self, on: bool) -> None:
        """Activate and record, or deactivate."""
        if on != self._active:
            self._call(self._state, self._change[on])
            self._active = on
        if on:
            self._call(self._begin, self._start)

    def _call(self, client: Any, request: Any) -> None:
        if not self._client.wait(client.service_is_ready, ANSWER_S):
            raise GraphEndedError(f"no service {client.srv_name}")
        future = client.call_async(request)
        if not self._client.wait(future.done, ANSWER_S) or not future.result().success:
            raise GraphEndedError(f"{client.srv_name} was refused: {future.result() if future.done() else 'no answer'}")


if __name__ == "__main__":
    sys.exit(main())
