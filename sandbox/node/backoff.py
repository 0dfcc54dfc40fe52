# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the node waits before it tries again: the kubelet's rules at a tenth of its time.

The kubelet restarts at once the first time, then after 10 s doubling to 300 s, and forgets after
ten minutes of running. A rehearsal cannot wait that long: here 1 s doubling to 30 s, and a minute.
"""

from __future__ import annotations

BASE = 1.0
LONGEST = 30.0
FORGOTTEN_AFTER = 60.0


def restart_delay(crashes: int) -> float:
    """Seconds before the next start after so many crashes in a row (at least one)."""
    return 0.0 if crashes <= 1 else min(LONGEST, BASE * 2.0 ** min(crashes - 2, 16))


def pull_delay(failures: int) -> float:
    """Seconds before the next pull after so many failures in a row (at least one)."""
    return min(LONGEST, BASE * 2.0 ** min(failures - 1, 16))


def words(delay: float) -> str:
    """A duration as Go prints it: `10s`, `1m20s`."""
    minutes, rest = divmod(int(delay), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
