# SPDX-License-Identifier: Apache-2.0
"""MuJoCo table-top worlds with FR3 and WidowX 250 S: tasks judged on physics, a scripted expert, the simulator node."""
