# SPDX-License-Identifier: GPL-3.0-or-later
"""Set faults of the sandbox for as long as a block lasts."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from sandbox.faults import Fault, Faults


@contextmanager
def faults_set(faults: Faults, *added: Fault) -> t.Iterator[None]:
    """With `added` beside the faults that are set, which are set alone again at the end."""
    before = faults.all()
    faults.write([*before, *added])
    try:
        yield
    finally:
        faults.write(before)
