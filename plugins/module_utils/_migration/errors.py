# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""
Why migrations stop, one word each:

* ConflictError
  * MissingLocallyError      the database has migrations that the folder has not
  * OutOfOrderError          the folder has migrations older than the newest applied one
  * DriftError               an applied file was edited since
  * FailedMigrationError     an earlier migration failed and nobody said what became of it (P3009)
  * NotEmptyError            the database has tables and no history (P3005)
  * LockedError              somebody else is migrating
* RefusedError
  * MigrationError           the server refused a statement (P3018)
  * GenerateError            the migrations are applied, and the workspace's generator failed
  * GuardError               a file does more than add, and nobody waived that
"""

from __future__ import annotations

from .._errors import ConflictError, RefusedError


class MissingLocallyError(ConflictError):
    reason = "MissingLocally"


class OutOfOrderError(ConflictError):
    reason = "OutOfOrder"


class DriftError(ConflictError):
    reason = "Drift"


class FailedMigrationError(ConflictError):
    reason = "FailedMigration"


class NotEmptyError(ConflictError):
    reason = "NotEmpty"


class LockedError(ConflictError):
    reason = "Locked"


class MigrationError(RefusedError):
    reason = "MigrationFailed"


class GenerateError(RefusedError):
    reason = "GenerateFailed"


class GuardError(RefusedError):
    reason = "NotAdditive"
