# SPDX-License-Identifier: Apache-2.0
"""Policies in replicas: the server keeps each robot's recent past, so that any replica can continue its task."""
