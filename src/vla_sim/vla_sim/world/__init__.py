# SPDX-License-Identifier: Apache-2.0
"""The simulated world: scene, layout, robots, cameras, physics."""
