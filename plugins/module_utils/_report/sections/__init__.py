# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a report, by subject, each from its part of the record; the shapes are what the modules return."""
