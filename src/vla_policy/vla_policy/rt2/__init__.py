# SPDX-License-Identifier: Apache-2.0
"""RT-2: any vision-language model of transformers as a policy, which can only say legal actions."""
