"""Writes a Supabase migration of one long INSERT and checks it by the collection's own code, in a process of its own.

Takes the folder and how many megabytes, and prints as JSON how long it took and how much memory the process had.
"""

import json
import sys
import time
from pathlib import Path

from ansible_collections.easymo.deploy.plugins.module_utils._migration.guard.review import review
from ansible_collections.easymo.deploy.plugins.module_utils._migration.supabase import SupabaseFiles


def write(folder: Path, size: int) -> None:
    with (folder / "1_seed.sql").open("w", encoding="utf-8") as file:
        file.write("INSERT INTO t (id, note) VALUES (0, '')")
        number = 0
        while file.tell() < size:
            number += 1
            file.write(f",\n  ({number}, 'a note of row {number} (it''s long); enough')")
        file.write(";\n")


def main() -> None:
    folder, megabytes = Path(sys.argv[1]), int(sys.argv[2])
    write(folder, megabytes * 1_000_000)
    started = time.monotonic()
    engine = SupabaseFiles(str(folder))
    [migration] = engine.folder.files
    assert not [*engine.problems_of(migration)], "it can run"
    assert migration.atomic, "it is one transaction"
    assert not review([migration.source], None).findings, "it is additive"
    seconds = time.monotonic() - started
    # Not ru_maxrss, which a process inherits from the one that started it.
    peak = Path("/proc/self/status").read_text("ascii").partition("VmHWM:")[2].split()[0]
    memory = int(peak) * 1024
    print(json.dumps({"seconds": seconds, "memory": memory}))


if __name__ == "__main__":
    main()
