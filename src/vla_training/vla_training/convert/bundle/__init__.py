# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's checkpoint format (tensor bundle), read with NumPy alone."""

from vla_training.convert.bundle.reader import FLOAT32, INT64, STRING, Bundle, BundleError, Entry

__all__ = ["FLOAT32", "INT64", "STRING", "Bundle", "BundleError", "Entry"]
