# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Shows the admin dashboard's banner while a release is under way, and takes it down."""
