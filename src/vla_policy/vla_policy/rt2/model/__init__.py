# SPDX-License-Identifier: Apache-2.0
"""The vision-language model: checkpoint, loading, processor, quantization."""
