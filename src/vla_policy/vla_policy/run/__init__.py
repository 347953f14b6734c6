# SPDX-License-Identifier: Apache-2.0
"""Running a policy: when to infer, on what, and in which thread."""
