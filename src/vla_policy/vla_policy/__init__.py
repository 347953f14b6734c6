# SPDX-License-Identifier: Apache-2.0
"""Action space, action tokenizer, the Policy interface, RT-1 and the policy node."""
