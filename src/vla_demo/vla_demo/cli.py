# SPDX-License-Identifier: Apache-2.0
"""`vla demo` and `vla graph-eval`: start the graph, give instructions, leave video, timeline and figures."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from vla_core.ros.start import RosStartError

from vla_demo.run import recording_file
from vla_demo.run.child import GraphEndedError, private_environment
from vla_demo.run.plans import Plan, PlanError, demo_plans, evaluation_plans, read_plans
from vla_demo.run.progress import Progress, closing_table, figure_lines
from vla_demo.run.samples import Recording
from vla_demo.run.summary import Figures, per_family, summarize, write_json

if TYPE_CHECKING:
    from vla_demo.picture.live_video import LiveVideo

ARMS = ("simulator", "franka-sim")
NEEDED_SHARE = 0.6  # of the demo's episodes: three of five
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 only if the graph ran and at least three of five instructions succeeded."""
    parser = argparse.ArgumentParser(
        prog="vla demo",
        description="Start the graph, give five instructions one after the other (the last one changes mid-run), and "
        "leave video.mp4, timeline.png, summary.json, recording.npz and graph.log in the output folder.",
        epilog="exit status: 0 at least three of five succeeded, 1 fewer, or the graph did not run, 2 wrong arguments",
    )
    _add_common(parser, seed=1)
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="output folder (default: %(default)s)")
    parser.add_argument("--episodes", type=Path, metavar="FILE", help="JSON list of episodes to give instead")
    parser.add_argument("--no-video", action="store_true", help="record no pictures")
    return _guarded(_demo, parser.parse_args(arguments))


def graph_eval(arguments: Sequence[str] | None = None) -> int:
    """Score a policy through the running graph, the simulator not waiting; return 0 if the graph ran to the end."""
    parser = argparse.ArgumentParser(
        prog="vla graph-eval",
        description="Give many instructions, the families in turn, to the running graph and write the figures as JSON.",
        epilog="exit status: 0 all episodes were run, 1 the graph did not run, 2 wrong arguments",
    )
    _add_common(parser, seed=7)
    parser.add_argument("--episodes", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/graph_eval.json"), help="file (default: %(default)s)")
    return _guarded(_graph_eval, parser.parse_args(arguments))


def _add_common(parser: argparse.ArgumentParser, seed: int) -> None:
    parser.add_argument("--robot", default="fr3", help="fr3 or wx250s (default: %(default)s)")
    parser.add_argument("--policy", default="rt1", help="rt1, rt2 or expert (default: %(default)s)")
    parser.add_argument(
        "--arm",
        default="simulator",
        choices=ARMS,
        help="franka-sim: the driver of a Franka and franky-sim move the simulated arm (default: %(default)s)",
    )
    parser.add_argument("--checkpoint", default="", help="weights of the policy: a shipped name or a path")
    parser.add_argument("--namespace", default="", metavar="NS", help="of the graph that is started (default: none)")
    parser.add_argument("--seed", type=int, default=seed, help="chooses tables and sentences (default: %(default)s)")
    parser.add_argument(
        "--vary",
        nargs="+",
        default=[],
        metavar="NAME[=RANGE]",
        help="how each table differs, as `vla eval --vary`: trained, camera, camera.shift=0.0:0.02 (default: not)",
    )
    parser.add_argument("--timeout", type=float, default=30.0, help="[s] for one instruction (default: %(default)s)")
    parser.add_argument("--start-timeout", type=float, default=120.0, help="[s] for the graph (default: %(default)s)")


def _guarded(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """Run `command` with errors as messages, a private ROS domain, and SIGTERM taken as Ctrl-C."""
    os.environ.update(private_environment(os.environ, os.getpid()))
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs start with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        return command(options)
    except (PlanError, RosStartError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (GraphEndedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the graph is stopped", file=sys.stderr)
        return INTERRUPTED


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _demo(options: argparse.Namespace) -> int:
    plans = read_plans(options.episodes) if options.episodes else demo_plans(options.seed)
    out: Path = options.out
    recording = Recording()
    progress = Progress(recording, len(plans))
    video = None if options.no_video else _video(recording, options.policy, len(plans), out)
    try:
        _run(options, plans, recording, progress, log=out / "graph.log", video=video, console=True)
    except BaseException:
        if video:
            video.abandon()
        raise
    figures = summarize(recording, options.policy, options.robot)
    written = _write_all(recording, figures, out, progress, video)
    _close(figures, [*written, out / "graph.log"], progress)
    return _verdict(figures, progress)


def _verdict(figures: Figures, progress: Progress) -> int:
    good, count = sum(episode["success"] for episode in figures["episodes"]), len(figures["episodes"])
    if figures["policy_hz"] is None or figures["controller_hz"] is None:
        progress.say("error: the policy sent no chunks, or the controller did not tick: nothing moved")
        return 1
    if good < NEEDED_SHARE * count:
        progress.say(f"error: only {good} of {count} instructions succeeded; at least {NEEDED_SHARE:.0%} are needed")
        return 1
    return 0


def _graph_eval(options: argparse.Namespace) -> int:
    plans = evaluation_plans(options.episodes, options.seed)
    out: Path = options.out
    recording = Recording()
    progress = Progress(recording, len(plans))
    _run(options, plans, recording, progress, log=out.with_suffix(".log"), video=None)
    figures = summarize(recording, options.policy, options.robot)
    write_json({**figures, "per_family": per_family(recording.episodes), "seed": options.seed}, out)
    recording_file.save_recording(recording, _title(figures), out.with_suffix(".npz"))
    _close(figures, [out, out.with_suffix(".npz"), out.with_suffix(".log")], progress)
    return 0


def _run(
    options: argparse.Namespace,
    plans: Sequence[Plan],
    recording: Recording,
    progress: Progress,
    log: Path,
    video: LiveVideo | None,
    console: bool = False,
) -> None:
    from vla_demo.ros.run import RunSettings, run  # only now: rclpy reads the environment

    settings = RunSettings(
        robot=options.robot,
        policy=options.policy,
        checkpoint=options.checkpoint,
        namespace=options.namespace,
        driver=options.arm if options.arm != ARMS[0] else "",
        variation=" ".join(options.vary),
        seed=options.seed,
        timeout_s=options.timeout,
        start_timeout_s=options.start_timeout,
        log=log,
        pictures=video is not None,
        console=console,
    )
    run(settings, plans, recording, progress, video)


def _outputs(out: Path) -> list[Path]:
    return [out / "video.mp4", out / "timeline.png", out / "summary.json", out / recording_file.FILE]


def _video(recording: Recording, policy: str, count: int, out: Path) -> LiveVideo:
    from vla_demo.picture.live_video import LiveVideo  # matplotlib takes a second to import

    return LiveVideo(recording, policy, count, _outputs(out)[0])


def _write_all(
    recording: Recording, figures: Figures, out: Path, progress: Progress, video: LiveVideo | None
) -> list[Path]:
    """Write summary, timeline and the rest of the video into `out`; return the files that there are now."""
    from vla_demo.picture.timeline import write_timeline

    paths = _outputs(out)
    for path in paths:
        path.unlink(missing_ok=True)  # what an earlier run left is not of this run
    write_json(figures, paths[2])
    title = _title(figures)
    recording_file.save_recording(recording, title, paths[3])
    write_timeline(recording, title, paths[1])
    with progress:
        if video and not video.finish(progress.encoding):
            progress.say(f"warning: there is no video: {video.error or 'no pictures came'}")
    return [path for path in paths if path.exists()]


def _title(figures: Figures) -> str:
    return f"{figures['policy']} on {figures['robot']}, through the ROS graph"


def _close(figures: Figures, written: Sequence[Path], progress: Progress) -> None:
    progress.console.print(closing_table(figures))
    for line in figure_lines(figures):
        progress.say(line)
    for path in written:
        progress.say(f"written: {path}")


if __name__ == "__main__":
    sys.exit(main())
