# SPDX-License-Identifier: Apache-2.0
"""`vla bench hardware`: the driver of a Franka against franky-sim, in motion and in faults."""
