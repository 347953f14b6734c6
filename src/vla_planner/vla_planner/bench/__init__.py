# SPDX-License-Identifier: Apache-2.0
"""The bench of hosted minds: a server whose model is an adversary, and what the executive makes of its replies."""
