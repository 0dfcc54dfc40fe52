# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes API server for one machine, with the answers and messages of a real one."""
