# SPDX-License-Identifier: Apache-2.0
"""Images: encodings, decoding, resizing, video files and devices."""
