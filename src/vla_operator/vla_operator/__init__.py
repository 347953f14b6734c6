# SPDX-License-Identifier: Apache-2.0
"""The operator: the only writer of instructions."""
