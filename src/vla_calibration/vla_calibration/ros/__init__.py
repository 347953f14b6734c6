# SPDX-License-Identifier: Apache-2.0
"""Samples from the running graph."""
