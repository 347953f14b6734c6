# SPDX-License-Identifier: Apache-2.0
"""Bags as rosbag2 writes them: a folder with one MCAP file and metadata.yaml."""
