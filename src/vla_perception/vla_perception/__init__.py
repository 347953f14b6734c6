# SPDX-License-Identifier: Apache-2.0
"""Camera ingest and instruction intake: images, joint states and sentences become observations and instructions."""
