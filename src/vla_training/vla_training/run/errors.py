# SPDX-License-Identifier: Apache-2.0
"""What the commands of this package refuse."""


class TrainingError(ValueError):
    """What was asked cannot be done; the message says what was received and what is valid."""
