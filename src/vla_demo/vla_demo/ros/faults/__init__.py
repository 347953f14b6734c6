# SPDX-License-Identifier: Apache-2.0
"""Faults in the running graph, over DDS."""
