# SPDX-License-Identifier: Apache-2.0
"""What every training run shares: arguments, log, record, state, progress."""
