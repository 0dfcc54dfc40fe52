# SPDX-License-Identifier: GPL-3.0-or-later
"""Which alerts a release counts on, whether Prometheus has them loaded, and whom Alertmanager can tell."""
