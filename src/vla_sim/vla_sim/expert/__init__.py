# SPDX-License-Identifier: Apache-2.0
"""The scripted expert and the policy made of it."""
