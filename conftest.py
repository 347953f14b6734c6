# SPDX-License-Identifier: Apache-2.0
"""Shared test set-up: a ROS domain of our own, and the order and the account of the three kinds of tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

import pytest

KINDS = ("ROS-free", "node", "system")
_domain_lock: list[TextIO] = []  # kept open, so that the lock lasts as long as the process


def _claim_ros_domain() -> int:
    """Return a ROS domain id from 1 to 100 that no other test run on this machine uses, and keep it until exit."""
    for attempt in range(100):
        domain = (os.getpid() + attempt) % 100 + 1
        lock = Path(tempfile.gettempdir(), f"vla-test-domain-{domain}.lock").open("w")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _domain_lock.append(lock)
        return domain
    raise RuntimeError("all ROS domains from 1 to 100 are used by other test runs on this machine")


def pytest_configure() -> None:
    """Give this process and all that it starts a domain of their own, before anything imports rclpy."""
    os.environ["ROS_DOMAIN_ID"] = str(_claim_ros_domain())
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="vla-test-state-")  # no stop of another run is latched here
    if find_spec("hypothesis") is not None:
        from hypothesis import settings

        settings.register_profile("any_machine", deadline=None)  # how long an example takes depends on the machine
        settings.load_profile("any_machine")


@pytest.fixture(scope="session")
def ros_domain_id() -> int:
    """The ROS domain of this test run; the environment already holds it."""
    return int(os.environ["ROS_DOMAIN_ID"])


def _kind(item: pytest.Item) -> str:
    return next((kind for kind in reversed(KINDS) if item.get_closest_marker(kind)), KINDS[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the quick tests first: ROS-free, then nodes, then the system."""
    items.sort(key=lambda item: KINDS.index(_kind(item)))
    for item in items:
        item.user_properties.append(("kind", _kind(item)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each kind of tests that ran."""
    for kind in KINDS:
        counts: dict[str, int] = {}
        seconds = 0.0
        for outcome in ("passed", "failed", "error", "skipped", "xfailed"):
            for report in terminalreporter.getreports(outcome):
                if ("kind", kind) in getattr(report, "user_properties", ()):
                    counts[outcome] = counts.get(outcome, 0) + 1
                    seconds += report.duration
        if counts:
            account = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
            terminalreporter.write_line(f"{kind} tests: {account} in {seconds:.1f} s")
