# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolling one Deployment to where it should be, or exactly back."""
