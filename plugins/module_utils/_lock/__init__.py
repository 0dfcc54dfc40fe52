# SPDX-License-Identifier: GPL-3.0-or-later
"""The deploy lock: one Lease a namespace, so that one run at a time changes it."""
