# SPDX-License-Identifier: Apache-2.0
"""`vla bench remote`: policies across a network, one part a module.

A part has `measure(arguments) -> dict`, whose keys become those of the JSON file, and `draw(axes, result)`, which draws
from the whole result what it measured.
"""
