# SPDX-License-Identifier: Apache-2.0
"""What `vla bench controller` runs: hostile streams, seams, recorded chunks."""
