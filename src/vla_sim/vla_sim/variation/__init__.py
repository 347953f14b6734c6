# SPDX-License-Identifier: Apache-2.0
"""Worlds that differ from table to table: axes as data, what a seed draws from them, how a world becomes that."""
