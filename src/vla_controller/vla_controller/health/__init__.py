# SPDX-License-Identifier: Apache-2.0
"""Figures about the running controller: tick times, camera-to-motion latency, diagnostics."""
