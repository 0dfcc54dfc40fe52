# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the admin dashboard's banner while a release is under way, and takes it down."""
