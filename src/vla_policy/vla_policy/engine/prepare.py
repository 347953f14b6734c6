# SPDX-License-Identifier: Apache-2.0
"""Compile the networks of the shipped checkpoints for this processor: `python -m vla_policy.engine.prepare`."""

from __future__ import annotations

import logging
import sys

from vla_policy.engine.choice import OPENVINO
from vla_policy.engine.openvino import available
from vla_policy.policy import PolicyConfig
from vla_policy.registry import create

POLICIES = ("rt1", "rt2")


def main() -> int:
    """Return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not available():
        print("OpenVINO is not installed: pip install --no-deps -r requirements/engine.txt", file=sys.stderr)
        return 1
    for name in POLICIES:
        create(name, PolicyConfig(options={"engine": OPENVINO})).close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
