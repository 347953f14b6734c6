# SPDX-License-Identifier: Apache-2.0
"""`vla train halt-word`: the head of the halt word, trained on clips by synthetic voices."""
