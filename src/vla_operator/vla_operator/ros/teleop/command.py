# SPDX-License-Identifier: Apache-2.0
"""`vla teleop DEVICE`: teleop_node in this terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields

from vla_core.ros.process import run_node
from vla_core.settings import valid_values

from vla_operator.settings import DEVICES, TeleopSettings

USAGE = """usage: vla teleop [keyboard|gamepad|joy|topic] [NAME:=VALUE...]

Drive the arm of the running graph by hand, also while a policy acts. docs/teleoperation.md has the rules.

  keyboard  the keys of this terminal (the default)
  gamepad   one at this machine; needs pygame: ./vla run python -m pip install pygame-ce
  joy       sensor_msgs/Joy of joy_node, spacenav_node and others
  topic     geometry_msgs/TwistStamped or PoseStamped of anything, with a clutch

parameters:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node; the exit status is 2 for arguments that are not valid, else that of teleop_node."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if any(word in ("-h", "--help") for word in words):
        print(USAGE + parameters())
        return 0
    device = words.pop(0) if words and ":=" not in words[0] and not words[0].startswith("-") else "keyboard"
    own = words[: words.index("--ros-args")] if "--ros-args" in words else words
    wrong = [word for word in own if ":=" not in word]
    if device not in DEVICES or wrong:
        text = f"unknown device {device!r}; valid: {', '.join(DEVICES)}" if device not in DEVICES else ""
        print(f"teleop: {text or f'{wrong[0]!r} is no NAME:=VALUE'}; --help lists the parameters", file=sys.stderr)
        return 2
    settings = [part for word in own for part in ("-p", word)]
    rest = words[len(own) + 1 :]
    return run_node(
        "vla_operator.ros.teleop.node:TeleopNode", ["--ros-args", "-p", f"device:={device}", *settings, *rest]
    )


def parameters() -> str:
    """Return a line for each parameter: name, default, meaning, valid values."""
    rows = [(item.name, str(item.default), item) for item in fields(TeleopSettings) if item.name != "device"]
    return "\n".join(
        f"  {name:<14} {default or '(empty)':<22} {item.metadata['description']}; {valid_values(item)}"
        for name, default, item in rows
    )


if __name__ == "__main__":
    sys.exit(main())
