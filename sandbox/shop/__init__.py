# SPDX-License-Identifier: GPL-3.0-or-later
"""Another team beside EasyMO: three services and a PostgreSQL database, nothing else. `inventories/example` deploys it.

This module has its names alone, which other components import.
"""

from __future__ import annotations

NAMESPACE = "shop"
IMAGES = "shop"
SERVICES = ("catalog", "orders", "payments")
PREVIOUS_VERSION, RELEASE_VERSION = VERSIONS = ("1.0.0", "1.1.0")
