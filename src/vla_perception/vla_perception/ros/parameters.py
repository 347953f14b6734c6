# SPDX-License-Identifier: Apache-2.0
"""ROS parameters out of a frozen dataclass of settings."""

from dataclasses import Field, fields
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from vla_perception.errors import SettingsError

T = TypeVar("T")


def declare_settings(node: Node, schema: type[T]) -> T:
    """Declare every field of ``schema`` as a read-only parameter and return what was set.

    Empty texts are dropped from lists, since ROS cannot type an empty one. Raises SettingsError.
    """
    values = {}
    for item in fields(schema):  # type: ignore[arg-type]
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        try:
            value = node.declare_parameter(item.name, default, _descriptor(item)).value
        except ParameterException as error:
            raise SettingsError(f"parameter {item.name}: {error}; valid: {_valid(item)}") from error
        is_list = isinstance(item.default, tuple)
        values[item.name] = tuple(text for text in value if text) if is_list else value
    return schema(**values)


def _descriptor(item: Field[Any]) -> ParameterDescriptor:
    limits = item.metadata
    text = limits["description"] + (f"; one of {', '.join(limits['choices'])}" if limits["choices"] else "")
    descriptor = ParameterDescriptor(description=text, read_only=True)
    if limits["low"] is None:
        return descriptor
    if isinstance(item.default, float):
        low, high = float(limits["low"]), float(limits["high"])
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    else:
        descriptor.integer_range = [IntegerRange(from_value=limits["low"], to_value=limits["high"], step=1)]
    return descriptor


def _valid(item: Field[Any]) -> str:
    kind = {tuple: "a list of texts", bool: "true or false", int: "a whole number", float: "a number with a point"}
    limits = item.metadata
    bounds = f" from {limits['low']} to {limits['high']}" if limits["low"] is not None else ""
    return kind.get(type(item.default), "a text") + bounds
