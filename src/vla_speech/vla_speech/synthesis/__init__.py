# SPDX-License-Identifier: Apache-2.0
"""Speech and noise made by programs: for the benchmark and for the training of the halt word's head."""
