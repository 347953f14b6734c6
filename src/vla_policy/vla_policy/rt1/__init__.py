# SPDX-License-Identifier: Apache-2.0
"""RT-1: FiLM-conditioned EfficientNet, TokenLearner, decoder-only Transformer, all action bins in one pass."""
