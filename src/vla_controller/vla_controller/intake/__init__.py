# SPDX-License-Identifier: Apache-2.0
"""What comes in: action chunks and the gate that judges them."""
