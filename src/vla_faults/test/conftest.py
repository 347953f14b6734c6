# SPDX-License-Identifier: Apache-2.0
"""Fixtures of vla_core and of this package."""

from vla_core.ros.testing import bench, module_bench, start_node
from vla_faults.testing import faults

__all__ = ["bench", "faults", "module_bench", "start_node"]
