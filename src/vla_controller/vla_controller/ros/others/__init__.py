# SPDX-License-Identifier: Apache-2.0
"""What other nodes tell: joint states, transforms, the receiver of setpoints, rival publishers and controllers."""
