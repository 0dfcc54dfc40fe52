# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description: V(applied) means that every file of O(directory) is applied.
    type: str
    choices: [applied]
    default: applied
  expect_tables:
    description:
      - Tables that must be there afterwards, as C(table) in the schema C(public) or as C(schema.table).
      - Those that this run made must be empty.
    type: list
    elements: str
    default: []
  drift:
    description:
      - What to do about an applied file that was edited since.
      - Flyway stops too, the Supabase CLI does not notice. V(warn) goes on with a warning.
    type: str
    choices: [fail, warn]
    default: fail
  include_all:
    description:
      - Whether files that are older than the newest applied one, and not applied, run too. They run first, in their
        order, as with C(supabase db push --include-all) or C(outOfOrder) of Flyway.
      - V(false) refuses them, since a newer file may have been written without knowing of them.
    type: bool
    default: false
    version_added: 0.2.0
  lock_timeout:
    description:
      - Seconds a statement waits for a lock at most, so that it never stands in front of everybody else behind one
        long transaction. V(0) is no limit. A migration may set another.
    type: float
    default: 5
  statement_timeout:
    description: Seconds a statement runs at most. V(0) is no limit. A migration may set another.
    type: float
    default: 0
  advisory_lock_timeout:
    description: Seconds to wait for another run that is migrating this database.
    type: float
    default: 30
notes:
  - The diff shows the SQL of pending files whole, but for the literals that stand behind words like C(PASSWORD).
    Use C(--diff) only where the SQL may be shown. Everything else that is told of a file has its literals masked.
  - The advisory lock belongs to a session. Connect to the database itself, or to a pooler in session mode; one in
    transaction mode is refused.
  - Of the role's own C(statement_timeout), C(transaction_timeout) and idle timeouts none holds for a run; what holds is
    O(statement_timeout).
"""
