# SPDX-License-Identifier: Apache-2.0
"""Success in the categories of the RT-1, RT-2 and LIBERO-Plus papers: cells as data, resumable, with intervals."""
