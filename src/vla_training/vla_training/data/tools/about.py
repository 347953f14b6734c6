# SPDX-License-Identifier: Apache-2.0
"""`vla data info`: what any LeRobotDataset of v3.0 or v2.1 holds."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `vla data info`; returns the exit status."""
    from vla_training.data.lerobot.check import main as check

    return check([*(argv or ()), "--info"], "vla data info")
