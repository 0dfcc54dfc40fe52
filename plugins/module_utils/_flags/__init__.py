# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature flags: what they may be, who else sets them, and whether the pods really run with them."""
