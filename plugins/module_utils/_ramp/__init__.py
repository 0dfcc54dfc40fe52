# SPDX-License-Identifier: GPL-3.0-or-later
"""The ramp: by which steps a feature reaches all users, where it stands, and when it may go on."""
