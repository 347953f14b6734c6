# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from a dataclass of settings."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vla_core.settings import SettingsError, element_types, valid_values

T = TypeVar("T")
_LISTS = {str: Parameter.Type.STRING_ARRAY, float: Parameter.Type.DOUBLE_ARRAY, int: Parameter.Type.INTEGER_ARRAY}


def declare_settings(node: Node, schema: type[T]) -> T:
    """Return the values of `schema`; fields that are no parameters yet are declared, read-only unless they are live.

    A list that nobody sets is empty; empty texts are dropped from lists, because ROS cannot type an empty list.

    Raises:
        SettingsError: a value has the wrong type, or is out of its range or choices.
    """
    lists = element_types(schema)
    values: dict[str, Any] = {}
    for item in fields(schema):  # type: ignore[arg-type]
        default = _LISTS[lists[item.name]] if item.name in lists else item.default
        try:
            if not node.has_parameter(item.name):
                node.declare_parameter(item.name, default, _descriptor(item))
            value = node.get_parameter_or(item.name, Parameter(item.name)).value  # a list may have none
        except ParameterException as error:
            raise SettingsError(f"parameter {item.name}: {error}; valid: {valid_values(item)}") from error
        values[item.name] = tuple(part for part in value or () if part != "") if item.name in lists else value
    return schema(**values)


def _descriptor(item: Field[Any]) -> ParameterDescriptor:
    low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
    descriptor = ParameterDescriptor(
        description=item.metadata["description"],
        additional_constraints=f"one of {', '.join(choices)}" if choices else "",
        read_only=not item.metadata["live"],
    )
    if low is not None and isinstance(item.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif low is not None and isinstance(item.default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
