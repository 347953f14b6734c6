# SPDX-License-Identifier: Apache-2.0
"""The robot's state at the time of an image."""
