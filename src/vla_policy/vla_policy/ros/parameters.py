# SPDX-License-Identifier: Apache-2.0
"""Declares the fields of Settings as read-only ROS parameters."""

from dataclasses import fields

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from vla_policy.errors import ConfigurationError
from vla_policy.settings import Settings


def _descriptor(default: object, description: str, low: float | None, high: float | None) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=description, read_only=True)
    if low is not None and isinstance(default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif low is not None:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def declare_settings(node: Node) -> Settings:
    """Declare every parameter and return the values. Raises ConfigurationError for a wrong type or range."""
    values = {}
    for item in fields(Settings):
        low, high = item.metadata["low"], item.metadata["high"]
        descriptor = _descriptor(item.default, item.metadata["description"], low, high)
        try:
            values[item.name] = node.declare_parameter(item.name, item.default, descriptor).value
        except ParameterException as error:
            limits = "" if low is None else f" from {low} to {high}"
            raise ConfigurationError(
                f"parameter {item.name}: {error}; valid is a {type(item.default).__name__}"
                f"{limits}: {item.metadata['description']}"
            ) from error
    return Settings(**values)
