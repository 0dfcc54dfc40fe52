# SPDX-License-Identifier: GPL-3.0-or-later
"""Switch a feature off everywhere, during deployments and outages too, and prove it in every pod."""
