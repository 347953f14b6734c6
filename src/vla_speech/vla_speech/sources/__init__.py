# SPDX-License-Identifier: Apache-2.0
"""Where sound comes from: each source calls back with 16 kHz mono, from a thread of its own."""
