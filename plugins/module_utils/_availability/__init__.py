# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the public addresses while a release goes on, and say what came of it."""
