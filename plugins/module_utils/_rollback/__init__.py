# SPDX-License-Identifier: GPL-3.0-or-later
"""Returns everything that a release touched, from its record alone."""
