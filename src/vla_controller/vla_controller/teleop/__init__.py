# SPDX-License-Identifier: Apache-2.0
"""A person at the controls: what one device commands, whether it may, and where the tool is led by it."""
