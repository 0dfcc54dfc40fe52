# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for Slack, PagerDuty, GitHub and others, with a page to see what they received."""
