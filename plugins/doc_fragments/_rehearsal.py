# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ._module import nested
from ._postgres import DATABASE


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  rehearsal:
    description:
      - Applies nothing to the database itself, but what is pending there to a copy. That is made of a backup of
        M(easymo.deploy.pg_backup), asked O(rehearsal.queries), and dropped again whatever happens.
      - How it went, or who waived it, is kept by the name of the backup in the phase C(database) of the release's
        record in O(kubernetes). The task fails when the rehearsal did. In check mode it says what would be rehearsed.
      - Where nothing is pending, a copy is dropped that an interrupted rehearsal left, as far as it is in reach.
    type: dict
    suboptions:
      backup:
        description: Logical name of the backed up database, as given to M(easymo.deploy.pg_backup).
        type: str
        required: true
      release:
        description: The release that the backup was taken for. The newest valid one is restored.
        type: str
        required: true
      copy:
        description: The database to make, on which server and by whom.
        type: dict
        required: true
        suboptions:
{nested(DATABASE, 10, "rehearsal.copy")}      owners:
        description:
          - V(keep) restores owners and grants, whose roles must exist. With V(skip) the copy belongs to its user.
        type: str
        choices: [keep, skip]
        default: keep
      pg_restore:
        description: Name or path of C(pg_restore). It must not be older than the C(pg_dump) that wrote the backup.
        type: str
        default: pg_restore
      queries:
        description: What the migrated copy is asked. Each runs read-only.
        type: list
        elements: dict
        default: []
        suboptions:
          name: {{description: What the query is called in results., type: str, required: true}}
          query: {{description: The query., type: str, required: true}}
          expect: {{description: The first column of the first row of the answer., type: str, required: true}}
      waiver:
        description: Why nothing is rehearsed, which is recorded. Empty where it is.
        type: str
        default: ""
      waived_by:
        description: Who decided that. Needed with O(rehearsal.waiver).
        type: str
        default: ""
"""
