# SPDX-License-Identifier: Apache-2.0
"""LeRobotDataset v3.0 on disk: schema, statistics, writing and reading."""
