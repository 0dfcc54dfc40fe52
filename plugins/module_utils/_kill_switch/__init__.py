# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Switch a feature off everywhere, whoever deploys meanwhile and whatever is broken, and prove it in every pod."""
