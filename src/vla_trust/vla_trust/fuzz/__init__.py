# SPDX-License-Identifier: Apache-2.0
"""Random and malformed input for everything that reads input."""
