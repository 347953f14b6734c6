# SPDX-License-Identifier: Apache-2.0
"""Bags of MCAP: written, read, recovered; and the node that records the running graph into them."""

from vla_recorder.bag.bag import Recorded, Topic
from vla_recorder.bag.reader import Bag, open_bag
from vla_recorder.bag.writer import BagWriter
from vla_recorder.errors import RecordingError

__all__ = ["Bag", "BagWriter", "Recorded", "RecordingError", "Topic", "open_bag"]
