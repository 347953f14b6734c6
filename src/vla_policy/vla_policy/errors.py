# SPDX-License-Identifier: Apache-2.0
"""Typed errors of the policy package; each message says what was received and what is valid."""

import math


class PolicyError(Exception):
    """Base of every error that a policy raises on purpose."""


class InstructionError(PolicyError):
    """The instruction cannot be served by this policy."""


class ObservationError(PolicyError):
    """The observation lacks something that the policy needs, or is malformed."""


class CheckpointError(PolicyError):
    """The checkpoint (or recording) is missing, damaged or made for something else."""


class ConfigurationError(PolicyError):
    """A setting of the policy, or the policy's name, is not valid."""


class ActionSpaceError(PolicyError):
    """An action space description is not valid."""


class VocabularyError(ConfigurationError):
    """A tokenizer cannot serve an action vocabulary, or a token id belongs to none."""


class InferenceError(PolicyError):
    """The model itself failed (memory, device, a bug): the task ends, and a person has to look."""


class UnavailableError(PolicyError):
    """The policy cannot act now and may again (its server is gone, late or answers wrongly): the task waits."""


class ReplyError(UnavailableError):
    """A policy server's reply is malformed, too large, out of range, or an error text."""


class ServerRefusedError(ConfigurationError):
    """A policy server refuses this client (token, certificate), or serves another policy than the map describes."""


class ActionRefusedError(PolicyError):
    """The policy made an action that must not be sent: nothing goes out and the arm holds.

    legal_mass: the probability that the model gave to legal tokens, 0 to 1; NaN where that was not what was wrong.
    """

    def __init__(self, message: str, legal_mass: float = math.nan) -> None:
        super().__init__(message)
        self.legal_mass = legal_mass
