# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop Deployments and start them again with as many pods as they had."""
