# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL with TLS and production's two databases."""
