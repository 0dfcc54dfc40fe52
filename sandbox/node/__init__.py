# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's one node: a kubelet whose containers are web applications that really listen."""
