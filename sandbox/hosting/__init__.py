# SPDX-License-Identifier: GPL-3.0-or-later
"""`host`: another team's stack in a sandbox that is up, as its inventory and its manifests describe it."""
