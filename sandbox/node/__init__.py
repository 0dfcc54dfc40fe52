# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's nodes: kubelets whose containers are web applications that listen on real ports."""
