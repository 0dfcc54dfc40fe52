# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Deployments can be rolled out without downtime, before anything is touched."""
