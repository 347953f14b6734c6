# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of nodes."""

from vla_core.ros.testing import bench, module_bench, start_node  # noqa: F401
