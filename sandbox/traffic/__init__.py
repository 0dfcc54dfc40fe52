# SPDX-License-Identifier: GPL-3.0-or-later
"""Users: signed WhatsApp messages at a steady rate, so that not one lost request goes unnoticed."""
