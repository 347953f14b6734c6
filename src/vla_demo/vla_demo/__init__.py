# SPDX-License-Identifier: Apache-2.0
"""Starts the graph, gives instructions, records video, timeline and a summary."""
