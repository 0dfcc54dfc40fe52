# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this, as the record, the lock and the journal name them."""

from __future__ import annotations

import getpass
import os


def user_here() -> str:
    """The login by the environment (LOGNAME, USER, LNAME, USERNAME) or the system's accounts, else C(uid-<number>).

    A container may run as an account that /etc/passwd does not have, which is no reason to fail: `getpass.getuser`
    raises KeyError then before Python 3.13, and OSError from it on.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
