# SPDX-License-Identifier: Apache-2.0
"""Makes sure that a ROS domain has one graph: two controllers would send setpoints to the same robot."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vla_core.ros.start import domain_id, start_ros

from .description import GraphError
from .resolution import NodeStart, Start

DISCOVERY_S = 1.5


@contextmanager
def only_one(starts: Iterable[Start]) -> Iterator[None]:
    """Hold this user's lock on the ROS domain; raises GraphError when it is held or the graph's nodes are running."""
    path = lock_path(domain_id())
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GraphError(_refusal(f"`vla up`, process {os.read(descriptor, 32).decode() or 'unknown'}")) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        refuse_if_running(starts)
        yield
    finally:
        os.close(descriptor)


def lock_path(domain: int) -> Path:
    """Return the lock file of this user for a ROS domain."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(folder if os.path.isdir(folder) else tempfile.gettempdir()) / f"vla-up-{os.getuid()}-{domain}.lock"


def refuse_if_running(starts: Iterable[Start]) -> None:
    """Raise GraphError when nodes that `starts` would start are already there in this ROS domain."""
    found = running({start.name for start in starts if isinstance(start, NodeStart)}, DISCOVERY_S)
    if found:
        raise GraphError(_refusal(f"nodes {', '.join(found)}"))


def running(names: set[str], timeout_s: float) -> tuple[str, ...]:
    """Return those of the node names `names` that answer over DDS within `timeout_s` [s]."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    start_ros([], context)
    try:
        node = rclpy.create_node(f"vla_presence_{os.getpid()}", context=context, start_parameter_services=False)
        deadline = time.monotonic() + timeout_s
        found: set[str] = set()
        while not found and time.monotonic() < deadline:
            time.sleep(0.05)
            found = names.intersection(node.get_node_names())
        if found:
            time.sleep(0.3)  # the others of that graph
            found = names.intersection(node.get_node_names())
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
    return tuple(sorted(found))


def _refusal(who: str) -> str:
    return (
        f"a graph is already running in ROS domain {domain_id()} ({who}): stop it first (Ctrl-C there), "
        f"or choose another domain, for example ROS_DOMAIN_ID={(domain_id() + 1) % 102}"
    )
