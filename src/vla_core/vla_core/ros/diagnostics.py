# SPDX-License-Identifier: Apache-2.0
"""A node's health on /diagnostics, and in its log when it changes."""

from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from vla_core.health import Health, Level

_LEVELS = {
    Level.OK: DiagnosticStatus.OK,
    Level.WARN: DiagnosticStatus.WARN,
    Level.ERROR: DiagnosticStatus.ERROR,
}


def diagnostics_name(node: Node) -> str:
    """Return how statuses name a node: with its namespace, for a monitor that shows several arms."""
    return str(node.get_fully_qualified_name()).lstrip("/")


class DiagnosticsPublisher:
    """Publishes once a second what the functions in ``parts`` return, under the names "node: part"."""

    def __init__(self, node: Node, parts: Mapping[str, Callable[[], Health]]) -> None:
        self._node = node
        self._parts = dict(parts)
        self._last = dict.fromkeys(parts, "ok")
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(1.0, self._tick)

    def _tick(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for part, assess in self._parts.items():
            health = assess()
            if health.is_logged and health.name != self._last[part]:
                self._log(health)
                self._last[part] = health.name
            message.status.append(self._to_status(part, health))
        self._publisher.publish(message)

    def _log(self, health: Health) -> None:
        logger = self._node.get_logger()
        if health.level is Level.OK:
            logger.info(f"recovered: {health.message}")
        elif health.level is Level.WARN:
            logger.warning(health.message)
        else:
            logger.error(health.message)

    def _to_status(self, part: str, health: Health) -> DiagnosticStatus:
        return DiagnosticStatus(
            level=_LEVELS[health.level],
            name=f"{diagnostics_name(self._node)}: {part}",
            message=health.message,
            hardware_id=part,
            values=[KeyValue(key=key, value=value) for key, value in health.values.items()],
        )
