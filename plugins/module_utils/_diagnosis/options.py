# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of a diagnosis: each system is an option of its own, so that each may be left out."""

from __future__ import annotations
