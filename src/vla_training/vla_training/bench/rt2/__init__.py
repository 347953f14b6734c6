# SPDX-License-Identifier: Apache-2.0
"""What `vla bench rt2` measures."""
