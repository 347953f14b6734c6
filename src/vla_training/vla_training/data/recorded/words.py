# SPDX-License-Identifier: Apache-2.0
"""Words of the command line that say which data are trained on, and what their columns are."""

from __future__ import annotations

import argparse

from vla_training.data.recorded import meaning

LABELS = ("recorded", "expert")


def add_recorded_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which data and what their columns are."""
    add = parser.add_argument_group("recorded actions").add_argument
    add("--labels", default="recorded", choices=LABELS, help="the recorded actions (default), or in simulated sets "
        "what the scripted expert would do on each frame")  # fmt: skip
    add("--map", default="", help="observation map of all sets: name or file (default: the one that a set carries)")
    add("--robot", default="", help="robot whose joints these are (default: the set's, where it has a robot file)")
    add("--camera", default="", help="which camera the policy sees (default: the first)")
    add("--policy-rate", type=float, default=0.0, metavar="HZ", help="of the policy (default: the map's, else "
        "5 Hz or the set's own)")  # fmt: skip
    add("--skip-faulty", action="store_true", help="leave faulty episodes out, with a message for each")
    says = parser.add_argument_group("what a set without a map cannot tell").add_argument
    says("--action", dest="the_action", default="", choices=meaning.MODES, help="what the action is")
    says(
        "--state",
        dest="the_state",
        default="",
        choices=meaning.STATES,
        help="what the state is (default: like it)",
    )
    says("--rotation", dest="the_rotation", default="", choices=meaning.ROTATIONS, help="form of rotations")
    says("--frame", dest="the_frame", default="", choices=meaning.FRAMES, help="axes of tool deltas")
    says("--gripper", dest="the_gripper", default="", choices=meaning.SENSES, help="which number is open")
    says("--unit", dest="the_unit", default="", choices=meaning.UNITS, help="of joints")
    says("--state-rotation", dest="the_state_rotation", default="", choices=meaning.ROTATIONS, help="where it differs")
    says("--state-gripper", dest="the_state_gripper", default="", choices=meaning.SENSES, help="where it differs")
