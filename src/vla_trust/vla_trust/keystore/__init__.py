# SPDX-License-Identifier: Apache-2.0
"""SROS2 enclaves with the least privilege, derived from the description of the graph."""
