# SPDX-License-Identifier: GPL-3.0-or-later
"""A Supabase project on this machine: Management API, gateway, and edge functions run by the real Deno."""
