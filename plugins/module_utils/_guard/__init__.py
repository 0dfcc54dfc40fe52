# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of a ramp: what it sees at a look, what it does about it, and what it remembers until the next."""
