# SPDX-License-Identifier: Apache-2.0
"""From the targets of chunks to one path over time."""
