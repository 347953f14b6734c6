# SPDX-License-Identifier: Apache-2.0
"""The node, and the command that talks to it."""
