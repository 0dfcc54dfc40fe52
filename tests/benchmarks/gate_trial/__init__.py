# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates tried on generated releases, of which it is known whether they are worse."""
