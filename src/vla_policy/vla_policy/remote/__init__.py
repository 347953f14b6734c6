# SPDX-License-Identifier: Apache-2.0
"""Policies on other machines: wire formats in `codecs`, one client a protocol in `protocols`, and the Policy."""
