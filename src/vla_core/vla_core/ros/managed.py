# SPDX-License-Identifier: Apache-2.0
"""Base of every node of the stack: a managed node (lifecycle) and its life in a process."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any, ClassVar

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.action import ActionClient, ActionServer
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions
from rclpy.task import Future

from vla_core.observation_map.errors import ObservationMapError
from vla_core.robot import RobotConfigError
from vla_core.settings import SettingsError

SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)
OVERRIDABLE = QoSOverridingOptions.with_default_policies()  # history, depth and reliability as ROS parameters
_AUTOSTART = "whether the node configures and activates itself; false: a lifecycle manager does"


class ManagedNode(LifecycleNode):
    """A managed node that `vla_core.ros.process.run_node` makes, starts, serves and destroys.

    Parameters are declared in `__init__`; nodes override `configure`, `activate` and `deactivate`; they may raise.
    `configure` registers what is to be released at the cleanup with `releases`, an ExitStack; the entities that it
    creates are destroyed after that. Inactive means: the node causes no motion.
    """

    # Errors of what a person wrote: exit status 2.
    UNUSABLE: ClassVar[tuple[type[Exception], ...]] = (SettingsError, RobotConfigError, ObservationMapError)

    failure: str = ""  # why the process is to end with status 1

    def __init__(self, name: str) -> None:
        """Create the node `name`, unconfigured."""
        super().__init__(name)
        self.active = self.ending = False
        self.configured = self._starting = False
        self.releases = ExitStack()
        self._error: Exception | None = None
        self._ended = Future()
        descriptor = ParameterDescriptor(description=_AUTOSTART, read_only=True)
        self._autostart = bool(self.declare_parameter("autostart", True, descriptor).value)

    # Entities: a profile is copied, because rclpy writes overrides into it and several entities may share it

    def create_publisher(self, msg_type: Any, topic: str, qos_profile: Any, **options: Any) -> Any:
        """Create a publisher as rclpy does. Raises SettingsError for an invalid QoS override."""
        with _overrides_of(topic, options):
            return super().create_publisher(msg_type, topic, copy(qos_profile), **options)

    def create_subscription(self, msg_type: Any, topic: str, callback: Any, qos_profile: Any, **options: Any) -> Any:
        """Create a subscription as rclpy does. Raises SettingsError for an invalid QoS override."""
        with _overrides_of(topic, options):
            return super().create_subscription(msg_type, topic, callback, copy(qos_profile), **options)

    # What a node does in a transition

    def configure(self) -> None:
        """Load what the parameters name and create the entities."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Stop working, the arm at rest; the entities stay."""

    # Life in a process

    def start(self) -> None:
        """Configure and activate, unless the parameter `autostart` is false; raises what they raise."""
        self._starting = self._autostart
        for transition in (self.trigger_configure, self.trigger_activate):
            if self._starting and not self.ending and transition() != SUCCESS and self._error is not None:
                raise self._error
        self._starting = False

    def serve(self) -> None:
        """Serve callbacks until `end` is called."""
        executor = SingleThreadedExecutor()
        executor.add_node(self)
        executor.spin_until_future_complete(self._ended)
        executor.remove_node(self)
        executor.shutdown()

    def end(self) -> None:
        """Let `serve` return; may be called from any thread, also before `serve`."""
        self.ending = True
        self._ended.set_result(None)

    def destroy_node(self) -> None:
        """Release what `configure` made, then destroy the node."""
        if self.active:
            self.active = False
            self.deactivate()
        if self.configured:
            self._release()
        super().destroy_node()

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Call `configure`; what it raises leaves the node unconfigured."""
        self._permanent = {id(entity) for entity in self._entities()}
        self.configured = True
        try:
            self.configure()
        except Exception as error:
            self._release()
            return self._failed(error)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Call `activate`; what it raises leaves the node inactive."""
        try:
            self.activate()
        except Exception as error:
            return self._failed(error)
        self.active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Call `deactivate`."""
        self.active = False
        self.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what `configure` made."""
        result = super().on_cleanup(state)
        self._release()
        return result

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate and clean up, then let the process end."""
        if self.active:
            self.on_deactivate(state)
        if self.configured:
            self._release()
        self.end()
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up, so that the node can be configured again."""
        if self.active:
            self.on_deactivate(state)
        if self.configured:
            self._release()
        return SUCCESS

    def _failed(self, error: Exception) -> TransitionCallbackReturn:
        """Keep `error` for `start`, or log it where a lifecycle manager asked."""
        self._error = error
        usable = not isinstance(error, self.UNUSABLE)
        if not self._starting:
            self.get_logger().error("".join(traceback.format_exception(error)) if usable else str(error))
        return ERROR if usable else FAILURE

    def _release(self) -> None:
        """Undo `configure`: close `releases`, then destroy every entity that was made since."""
        self.configured = False
        self.releases.close()
        destroyers = {
            "timers": self.destroy_timer,
            "subscriptions": self.destroy_subscription,
            "services": self.destroy_service,
            "clients": self.destroy_client,
            "guards": self.destroy_guard_condition,
            "publishers": self.destroy_publisher,
        }
        for server in [item for item in self.waitables if isinstance(item, ActionServer | ActionClient)]:
            server.destroy()
        for kind, destroy in destroyers.items():
            for entity in [item for item in getattr(self, kind) if id(item) not in self._permanent]:
                destroy(entity)

    def _entities(self) -> list[object]:
        return [*self.timers, *self.subscriptions, *self.services, *self.clients, *self.guards, *self.publishers]


@contextmanager
def _overrides_of(topic: str, options: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, AssertionError, ParameterException, InvalidQosOverridesError) as error:
        if "qos_overriding_options" not in options:
            raise
        valid = "reliability reliable or best_effort, history keep_last or keep_all, depth a whole number"
        raise SettingsError(f"QoS override of {topic}: {error}; valid: {valid}") from error
