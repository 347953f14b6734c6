# SPDX-License-Identifier: Apache-2.0
"""Running the simulation in real time: loops, commands, trajectories."""
