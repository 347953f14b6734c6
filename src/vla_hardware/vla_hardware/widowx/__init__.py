# SPDX-License-Identifier: Apache-2.0
"""WidowX arms over the bus of their servos: no driver of the maker is needed."""
