# SPDX-License-Identifier: Apache-2.0
"""Declares the fields of the settings as read-only ROS parameters."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from vla_controller.robot_config import RobotConfigError
from vla_controller.settings import ControllerSettings, NodeSettings

Settings = TypeVar("Settings", ControllerSettings, NodeSettings)


def declare_settings(node: Node, kind: type[Settings]) -> Settings:
    """Declare a parameter for every field of ``kind`` and return the values.

    Raises:
        RobotConfigError: a value has the wrong type or is out of range.
    """
    values = {}
    for item in fields(kind):
        try:
            values[item.name] = node.declare_parameter(item.name, item.default, _descriptor(item)).value
        except ParameterException as error:
            low, high, what = (item.metadata[key] for key in ("low", "high", "description"))
            limits = "" if low is None else f" from {low} to {high}"
            noun = type(item.default).__name__
            raise RobotConfigError(f"parameter {item.name}: {error}; valid is a {noun}{limits}: {what}") from error
    return kind(**values)


def _descriptor(item: Field[object]) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=item.metadata["description"], read_only=True)
    low, high = item.metadata["low"], item.metadata["high"]
    if low is not None and isinstance(item.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif low is not None:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
