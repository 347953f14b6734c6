# SPDX-License-Identifier: Apache-2.0
"""The action space as data, its tokens and steps."""
