# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes API server for one machine, speaking to real clients in a real one's words."""
