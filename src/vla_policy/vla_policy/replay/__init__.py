# SPDX-License-Identifier: Apache-2.0
"""Recorded chunks: written while a policy runs, played as a policy."""
