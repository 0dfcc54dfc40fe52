# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Ask the public addresses while a release goes on, and say what came of it."""
