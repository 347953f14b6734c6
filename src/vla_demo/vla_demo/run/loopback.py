# SPDX-License-Identifier: Apache-2.0
"""Loopback addresses on which nobody serves, for a program that has one port and may run several times on a machine."""

from __future__ import annotations

import random
import socket

_TRIALS = 200


def free_loopback(port: int, seed: int) -> str:
    """Return an address 127.x.y.z whose `port` is free; another for each `seed`. Raises OSError where none is."""
    draw = random.Random(seed)
    for _ in range(_TRIALS):
        address = f"127.{draw.randint(16, 250)}.{draw.randint(1, 250)}.{draw.randint(1, 250)}"
        with socket.socket() as trial:
            try:
                trial.bind((address, port))
            except OSError:
                continue
            return address
    raise OSError(f"port {port} is taken on {_TRIALS} loopback addresses")
