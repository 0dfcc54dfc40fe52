# SPDX-License-Identifier: GPL-3.0-or-later
"""A production-shaped EasyMO platform on one machine, to rehearse a release against."""
