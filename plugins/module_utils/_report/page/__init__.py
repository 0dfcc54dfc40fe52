# SPDX-License-Identifier: GPL-3.0-or-later
"""How a report looks, as a page and as text. A module can carry no other files, so the templates are Python."""
