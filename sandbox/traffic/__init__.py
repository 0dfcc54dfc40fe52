# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic: signed WhatsApp messages and calls at a steady rate. Every lost request is counted."""
