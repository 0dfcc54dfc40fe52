# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The deploy lock: one Lease a namespace, so that one run at a time changes it."""
