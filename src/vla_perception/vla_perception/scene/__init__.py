# SPDX-License-Identifier: Apache-2.0
"""Objects of the table from a picture: a small network, and the camera's geometry."""
