# SPDX-License-Identifier: Apache-2.0
"""Wire formats of policy servers as pure functions; nothing received is executed."""
