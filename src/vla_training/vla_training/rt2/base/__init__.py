# SPDX-License-Identifier: Apache-2.0
"""Base models of RT-2: the small one from scratch, or any of transformers."""
