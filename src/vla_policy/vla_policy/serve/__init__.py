# SPDX-License-Identifier: Apache-2.0
"""Any policy behind openpi's protocol: one set of weights for several robots."""
