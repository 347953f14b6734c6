# SPDX-License-Identifier: Apache-2.0
"""Training samples of RT-2: robot data, questions, image-text pairs."""
