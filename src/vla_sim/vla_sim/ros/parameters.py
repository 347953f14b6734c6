# SPDX-License-Identifier: Apache-2.0
"""ROS parameters out of the dataclass of settings."""

from dataclasses import Field, fields

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from vla_sim.settings import Settings, SettingsError


def declare_settings(node: Node) -> Settings:
    """Declare every field of Settings, read-only unless it is live, and return what was set. Raises SettingsError."""
    values = {}
    for item in fields(Settings):
        try:
            values[item.name] = node.declare_parameter(item.name, item.default, _descriptor(item)).value
        except ParameterException as error:
            raise SettingsError(f"parameter {item.name}: {error}; valid: {_valid(item)}") from error
    return Settings(**values)


def _descriptor(item: Field) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=item.metadata["description"], read_only=not item.metadata["live"])
    low, high = item.metadata["low"], item.metadata["high"]
    if isinstance(item.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif isinstance(item.default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def _valid(item: Field) -> str:
    kind = {int: "a whole number", float: "a number with a decimal point"}.get(type(item.default), "a text")
    low, high = item.metadata["low"], item.metadata["high"]
    return kind if low is None else f"{kind} from {low:g} to {high:g}"
