# SPDX-License-Identifier: Apache-2.0
"""Check a policy server from the shell."""
