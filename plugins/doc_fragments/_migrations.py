# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  additive_only:
    description:
      - Whether every pending file must only add. Before anything runs, in check mode too, each statement is classed
        with PostgreSQL's own parser, the bodies of C(DO) and of functions that the migrations call included.
      - A statement that destroys, breaks what still runs or blocks it behind a heavy lock stops the run, and so does
        one of which that cannot be told. See C(docs/migration-guard.md).
      - V(false) applies files unseen and needs no pglast.
    type: bool
    default: true
    version_added: 0.2.0
  waivers:
    description:
      - Files that may run although they are not additive, each with the reason. The name of the file as results and
        errors show it, to a sentence. It is in RV(waived) with what it let through.
      - A file the folder has not is refused, and so is an empty reason. A waiver of an applied file does nothing.
    type: dict
    default: {}
    version_added: 0.2.0
  lock_retries:
    description:
      - How often to try again when another transaction's lock was in the way for longer than O(lock_timeout), or both
        waited for each other. The waits between grow from one second to fifteen.
      - Only what was rolled back whole is tried again. That is a file that is one transaction, and in other files the
        transaction or the statement that failed.
    type: int
    default: 5
    version_added: 0.2.0
notes:
  - With O(fence) the deploy lock is looked at before each file. A run that lost it applies no further one.
"""
