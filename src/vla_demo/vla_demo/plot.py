# SPDX-License-Identifier: Apache-2.0
"""`vla plot RUN`: the picture of a run of the graph, from its recording; `./vla` brings runs of the graph here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vla_demo.run.recording_file import FILE, RecordingError, load_recording

PICTURE = "timeline.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the recording; return 0, or 2 when there is none."""
    parser = argparse.ArgumentParser(
        prog="vla plot",
        description="Draw a run of the graph: reference, setpoint and measured joints, chunk seams, rates, latencies. "
        "For a folder of a training run, `vla plot` draws its learning curve instead.",
        epilog="exit status: 0 drawn, 2 there is no recording",
    )
    parser.add_argument("run", type=Path, help=f"folder that holds {FILE}, or such a file")
    parser.add_argument("--out", type=Path, help=f"picture to write (default: {PICTURE} beside the recording)")
    options = parser.parse_args(arguments)
    path = options.run / FILE if options.run.is_dir() else options.run
    out = options.out or path.with_name(PICTURE if path.name == FILE else f"{path.stem}.png")
    try:
        recording, title = load_recording(path)
    except RecordingError as error:
        print(f"vla plot: {error}", file=sys.stderr)
        return 2
    from vla_demo.picture.timeline import write_timeline

    if not write_timeline(recording, title, out):
        print(f"vla plot: the controller said nothing during the episodes of {path}", file=sys.stderr)
        return 2
    print(f"written: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
