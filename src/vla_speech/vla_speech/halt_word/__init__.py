# SPDX-License-Identifier: Apache-2.0
"""The path of "stop": a small network that listens all the time."""
