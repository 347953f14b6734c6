# SPDX-License-Identifier: Apache-2.0
"""How much success a number of recorded episodes gives."""
