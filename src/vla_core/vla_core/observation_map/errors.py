# SPDX-License-Identifier: Apache-2.0
"""The one error of observation maps."""


class ObservationMapError(ValueError):
    """A map is missing, invalid or does not fit; the text says what was received and what is valid."""
