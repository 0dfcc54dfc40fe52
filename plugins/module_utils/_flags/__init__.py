# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature flags: their allowed values, their other writers, and the proof that pods run with them."""
