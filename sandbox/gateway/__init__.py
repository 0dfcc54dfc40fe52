# SPDX-License-Identifier: GPL-3.0-or-later
"""The public entrance, https://api.easymo.com in production: routes requests to ready pods only."""
