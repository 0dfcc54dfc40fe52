# SPDX-License-Identifier: GPL-3.0-or-later
"""Switch a feature off everywhere, whoever deploys meanwhile and whatever is broken, and prove it in every pod."""
