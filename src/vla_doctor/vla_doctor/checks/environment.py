# SPDX-License-Identifier: Apache-2.0
"""ROS's environment: distribution, middleware, domain, range; and the robot's own network port."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping

from vla_core.dds_security import ENABLE, refusal

from vla_doctor.verdict import Verdict, error, ok, warn

FRANKA_PORT = 1337  # where libfranka connects
TRIES, TIMEOUT_S = 10, 1.0
ROUND_TRIP_MS = 2.0  # [ms] median: more is no wired network without a router


def check_environment(variables: Mapping[str, str], domain: int) -> Iterator[Verdict]:
    """Yield the verdicts about environment variables; domain: that of this process."""
    middleware = variables.get("RMW_IMPLEMENTATION", "") or "the default middleware"
    yield ok("ROS", f"{variables.get('ROS_DISTRO', 'unknown distribution')} with {middleware}, domain {domain}")
    if why := refusal(variables):
        yield error("DDS security", why, f"unset {ENABLE}")
    scope = variables.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "") or "SUBNET"
    only_local = variables.get("ROS_LOCALHOST_ONLY", "") == "1" or scope == "LOCALHOST"
    if only_local and not variables.get("ROS_STATIC_PEERS"):
        remedy = "export ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET where camera, robot or policy run on another machine"
        yield warn("discovery", "programs of other machines are not found (LOCALHOST)", remedy)
    else:
        yield ok("discovery", f"range {scope}")


def check_address(address: str, port: int = FRANKA_PORT) -> Verdict:
    """Judge the way to the robot's controller by the time that a connection takes."""
    subject, times = f"robot at {address}", []
    try:
        for _ in range(TRIES):
            begun = time.monotonic()
            with socket.create_connection((address, port), TIMEOUT_S):
                times.append(time.monotonic() - begun)
    except OSError as problem:
        remedy = "is the address right, the cable in, and FCI activated in Franka Desk?"
        return error(subject, f"port {port} does not answer: {problem}", remedy)
    median = sorted(times)[len(times) // 2] * 1e3
    found = f"port {port} answers, median {median:.2f} ms"
    if median > ROUND_TRIP_MS:
        return warn(subject, found, "connect by cable and without a router: libfranka wants an answer each millisecond")
    return ok(subject, found)
