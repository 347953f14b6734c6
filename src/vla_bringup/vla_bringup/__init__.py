# SPDX-License-Identifier: Apache-2.0
"""The whole graph described once: launch files, configuration and the vla_up process manager."""
