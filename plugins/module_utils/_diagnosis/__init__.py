# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The ramp: by which steps a feature reaches all users, where it stands, and when it may go on."""
