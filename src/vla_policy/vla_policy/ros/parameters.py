# SPDX-License-Identifier: Apache-2.0
"""Declares the fields of Settings as read-only ROS parameters."""

from dataclasses import Field, fields

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vla_policy.errors import ConfigurationError
from vla_policy.settings import Settings


def _descriptor(item: Field[object]) -> ParameterDescriptor:
    low, high = item.metadata["low"], item.metadata["high"]
    descriptor = ParameterDescriptor(description=item.metadata["description"], read_only=True)
    if low is not None and isinstance(item.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif low is not None:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def _declare(node: Node, item: Field[object]) -> object:
    if not isinstance(item.default, tuple):
        return node.declare_parameter(item.name, item.default, _descriptor(item)).value
    # An empty list has no type of its own in ROS: such a parameter is declared by its type and stays unset.
    value = node.declare_parameter(item.name, Parameter.Type.DOUBLE_ARRAY, _descriptor(item)).value
    return tuple(value or ())


def declare_settings(node: Node) -> Settings:
    """Declare every parameter and return the values. Raises ConfigurationError for a wrong type, range or choice."""
    values = {}
    for item in fields(Settings):
        try:
            values[item.name] = _declare(node, item)
        except ParameterException as error:
            raise ConfigurationError(f"parameter {item.name}: {error}; valid is {_valid(item)}") from error
    try:
        return Settings(**values)
    except ValueError as error:
        raise ConfigurationError(f"parameter {error}") from error


def _valid(item: Field[object]) -> str:
    low, high = item.metadata["low"], item.metadata["high"]
    noun = "list of float" if isinstance(item.default, tuple) else type(item.default).__name__
    return f"a {noun}{'' if low is None else f' from {low} to {high}'}: {item.metadata['description']}"
