# SPDX-License-Identifier: Apache-2.0
"""`vla bench rt2`: legality and speed of RT-2, against baselines of the same run."""
