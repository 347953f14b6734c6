# SPDX-License-Identifier: Apache-2.0
"""Co-fine-tuning of RT-2: robot demonstrations and image-text data in one mixture, plain next-token loss."""
