# SPDX-License-Identifier: Apache-2.0
"""Goals of several steps, closed loop: cases, the truth about them, episodes, figures."""
