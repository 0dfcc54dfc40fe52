# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Rolling one Deployment to where it should be, or exactly back."""
