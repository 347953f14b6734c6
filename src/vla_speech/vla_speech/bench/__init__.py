# SPDX-License-Identifier: Apache-2.0
"""`vla bench voice`: how well and how soon the robot hears."""
