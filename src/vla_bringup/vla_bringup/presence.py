# SPDX-License-Identifier: Apache-2.0
"""Makes sure that a namespace of a ROS domain has one graph: two controllers would send setpoints to the same robot."""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from vla_core.ros.start import domain_id, start_ros

from .description import GraphError
from .resolution import NodeStart, Start

DISCOVERY_S = 1.5


@contextmanager
def only_one(starts: Sequence[Start]) -> Iterator[None]:
    """Hold the lock on the graph's place; raises GraphError when it is held or the graph's nodes are running."""
    release = take_lock(namespace_of(starts))
    try:
        refuse_if_running(starts)
        yield
    finally:
        release()


def take_lock(namespace: str) -> Callable[[], None]:
    """Lock `namespace` of the ROS domain for this user; return what ends that, as the end of the process does.

    Raises:
        GraphError: another process of this user, or this one, holds it.
    """
    descriptor = os.open(lock_path(domain_id(), namespace), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.read(descriptor, 32).decode() or "unknown"
        os.close(descriptor)
        raise GraphError(_refusal(namespace, f"process {who}")) from None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return partial(os.close, descriptor)


def lock_path(domain: int, namespace: str) -> Path:
    """Return this user's lock file for a namespace of a ROS domain."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    name = "-".join(["vla-up", str(os.getuid()), str(domain), *(part for part in namespace.split("/") if part)])
    return Path(folder if os.path.isdir(folder) else tempfile.gettempdir()) / f"{name}.lock"


def namespace_of(starts: Iterable[Start]) -> str:
    """Return the namespace of the graph's nodes; empty for the root."""
    return next((start.namespace for start in starts if isinstance(start, NodeStart)), "")


def refuse_if_running(starts: Sequence[Start]) -> None:
    """Raise GraphError when nodes that `starts` would start are already there in this ROS domain."""
    names = {f"{start.namespace}/{start.name}" for start in starts if isinstance(start, NodeStart)}
    found = running(names, DISCOVERY_S)
    if found:
        raise GraphError(_refusal(namespace_of(starts), f"nodes {', '.join(found)}"))


def running(names: set[str], timeout_s: float) -> tuple[str, ...]:
    """Return those of the nodes `names`, with their namespaces, that answer over DDS within `timeout_s` [s]."""
    import rclpy
    from rclpy.context import Context

    context = Context()
    start_ros([], context)
    try:
        node = rclpy.create_node(f"vla_presence_{os.getpid()}", context=context, start_parameter_services=False)

        def there() -> set[str]:
            pairs = node.get_node_names_and_namespaces()
            return names.intersection(f"{namespace.rstrip('/')}/{name}" for name, namespace in pairs)

        deadline = time.monotonic() + timeout_s
        found: set[str] = set()
        while not found and time.monotonic() < deadline:
            time.sleep(0.05)
            found = there()
        if found:
            time.sleep(0.3)  # the others of that graph
            found = there()
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
    return tuple(sorted(found))


def _refusal(namespace: str, who: str) -> str:
    place = f"ROS domain {domain_id()}" + (f", namespace {namespace}" if namespace else "")
    return (
        f"a graph is already running in {place} ({who}): stop it first (Ctrl-C there), choose another namespace, for "
        f"example namespace:=left, or another domain, for example ROS_DOMAIN_ID={(domain_id() + 1) % 102}"
    )
