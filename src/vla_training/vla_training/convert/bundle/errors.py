# SPDX-License-Identifier: Apache-2.0
"""What the reader of tensor bundles refuses."""

from vla_training.run.errors import TrainingError


class BundleError(TrainingError):
    """A file that is no tensor bundle, or a damaged one; says what was found and what is valid."""
