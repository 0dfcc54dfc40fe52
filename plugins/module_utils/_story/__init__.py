# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a release, typed and read once; every channel tells from it."""
