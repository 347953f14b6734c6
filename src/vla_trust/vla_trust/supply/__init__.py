# SPDX-License-Identifier: Apache-2.0
"""Where the code comes from: bill of materials and audit of the installed packages."""
