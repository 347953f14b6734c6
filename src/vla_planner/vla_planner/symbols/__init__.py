# SPDX-License-Identifier: Apache-2.0
"""The mind that needs no language model: goals by templates and sentence similarity, rules, SayCan's score."""
