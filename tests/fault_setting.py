"""Set faults of the sandbox for as long as a block lasts."""

import typing as t
from contextlib import contextmanager

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
