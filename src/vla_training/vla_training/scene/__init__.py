# SPDX-License-Identifier: Apache-2.0
"""The network that perceives the table: pictures from the simulator, training, measurement."""
