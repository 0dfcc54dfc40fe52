"""Supabase migrations: a long folder in check mode and for real, and the role when nothing is left to do."""

import json
import tempfile
import time
import typing as t
from pathlib import Path

from sandbox.world import World
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import REPOSITORY, SEED_MB, Run, Stage, collection_output, stage
from tests.integration.module_process import ModuleProcess
from tests.integration.running import connection, query
from tests.interop.projects import Project
from tests.interop.toolchain import install

STATEMENTS = 20
DATABASE = "bench_migrations"
MODULE = "easymo.deploy.migrations"
PLAYBOOK = f"""
- name: Migrate
  hosts: supabase_db
  gather_facts: false
  vars:
    database_name: {DATABASE}
    release_expected_tables: []
    supabase_migrate_waivers: {{}}
  module_defaults:
    group/easymo.deploy.postgres: "{{{{ postgres_connection }}}}"
  tasks:
    - name: Apply the migrations
      ansible.builtin.include_role:
        name: easymo.deploy.supabase_migrate
"""


def migrations(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    files = size.of(small=5, full=500)
    with stage() as place:
        place.sandbox("up", "--only", "postgres", "--seed-mb", SEED_MB)
        query(connection(World(place.state)), f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        folder, playbook = place.state / "migrations", place.state / "migrate.yml"
        folder.mkdir()
        playbook.write_text(PLAYBOOK)
        # Where Ansible looks for what the playbooks set: beside the one that runs.
        (place.state / "group_vars").symlink_to(REPOSITORY / "playbooks" / "group_vars")
        for number in range(1, files + 1):
            (folder / f"{number:04}_table.sql").write_text(script(number))
        plan = _play(place, playbook, folder, "--check")
        real = _play(place, playbook, folder)
        nothing = _play(place, playbook, folder)
        rows = size.of(small=1000, full=110_000)
        compared = _seconds_of_rows(place, rows)
    large = size.of(small=1, full=30)
    took, memory = check_large_file(large)
    yield Measurement("one INSERT, checked", took, "s", note=f"a file of {large} MB")
    yield Measurement("one INSERT, memory", memory, "MB", target=300, note=f"a file of {large} MB")
    note = f"{rows} INSERTs in one file; ours took {compared['ours']:.1f} s"
    times = compared["ours"] / compared["cli"]
    yield Measurement("rows, to the Supabase CLI", times, "ratio", target=1.2, note=note)
    amount = f"{files} files of {STATEMENTS} statements"
    yield Measurement("plan in check mode", _task(plan), "s", target=2, note=amount)
    yield Measurement("for real", _task(real), "s", note=amount)
    yield Measurement("nothing pending, the task", _task(nothing), "s", note=amount)
    yield Measurement("nothing pending, the role", nothing.phases()["Migrate"], "s", target=2)


def script(number: int) -> str:
    """A table, what belongs to it, and rows, as real ones have them."""
    name = f"table_{number}"
    rows = "".join(
        f"insert into {name} (note) values ('row {row}; of {name}') on conflict do nothing;\n"
        for row in range(STATEMENTS - 4)
    )
    return f"""-- {name}; with its rows
create table if not exists {name} (id bigint generated always as identity primary key, note text);
alter table {name} enable row level security;
create policy "read {name}" on {name} for select using (true);
create index if not exists {name}_note on {name} (note);
{rows}"""


def _seconds_of_rows(place: Stage, rows: int) -> dict[str, float]:
    """The CLI's and ours, each as a program with its start, into a database of its own."""
    with tempfile.TemporaryDirectory() as home:
        project = Project(place.state / "rows", install("supabase"), Path(home))
        lines = (f"insert into note values ({n}, 'row {n}; it''s here');" for n in range(rows))
        project.write({"1_rows.sql": "\n".join(["create table note (id int, text text);", *lines])})
        seconds = {}
        for who in ("cli", "ours"):
            query(connection(World(place.state)), f"CREATE DATABASE rows_{who} TEMPLATE template0")
            database = connection(World(place.state), f"rows_{who}")
            started = time.monotonic()
            if who == "cli":
                done = project.supabase(database, "db", "push", "--yes")["rc"] == 0
            else:
                given = {"kind": "supabase", "directory": str(project.folder)}
                process = ModuleProcess("migrations", {**database, **given, "additive_only": False})
                done = process.result(timeout=300)["changed"]
            seconds[who] = time.monotonic() - started
            assert done, who
    return seconds


def check_large_file(megabytes: int) -> tuple[float, float]:
    """Seconds, and the megabytes of memory that the process had at most."""
    with tempfile.TemporaryDirectory() as folder:
        words = ("-m", "tests.benchmarks.large_file_run", folder, str(megabytes))
        printed = json.loads(collection_output(*words))
    return printed["seconds"], printed["memory"] / 1_000_000


def _play(place: Stage, playbook: Path, folder: Path, *more: str) -> Run:
    return place.play(str(playbook), "-e", f"supabase_migrate_directory={folder}", *more)


def _task(run: Run) -> float:
    return float(run.finished(MODULE)[0]["duration"])
