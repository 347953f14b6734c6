# SPDX-License-Identifier: Apache-2.0
"""One camera's path from an image to an observation, and its health."""
