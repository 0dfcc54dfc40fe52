# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release stands, for people and for programs, from the record and the cluster alone."""
