# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a release as a page that is written again while the release runs."""
