# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Stop Deployments and start them again with as many pods as they had."""
