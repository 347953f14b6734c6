# SPDX-License-Identifier: Apache-2.0
"""Tasks and their success tests."""
