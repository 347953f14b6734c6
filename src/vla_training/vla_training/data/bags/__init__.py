# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes (bags) as a data set, by an observation map."""
