# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators, a cluster and its troubles in one thread, in every order that a seed can name. See README.md."""
