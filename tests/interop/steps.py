"""Writes `tests/integration/steps/*.sql`: what other projects' tools make of a series of changes to a filled database.

    PYTHONPATH=playbooks/collections python -m tests.interop.steps prisma
    python -m venv /tmp/django && /tmp/django/bin/pip install 'django>=6' 'psycopg[binary]'
    PYTHONPATH=playbooks/collections python -m tests.interop.steps django /tmp/django/bin/python

Each file is one database's history: sections that begin with `-- step`, each a migration.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.postgres.component import unpack
from tests.caches import SANDBOX_CACHE
from tests.integration.round_trip import SETTINGS
from tests.integration.throwaway_server import ThrowawayServer
from tests.interop.prisma_workspace import Workspace
from tests.interop.toolchain import install

STEPS = Path(__file__).parents[1] / "integration" / "steps"
_HERE = Path(__file__).parent

_FIRST = """
enum Mood {
  GOOD
  BAD
}
model Buyer {
  id     Int     @id @default(autoincrement())
  name   String  @db.VarChar(40)
  phone  String?
  score  Int     @default(0)
  mood   Mood    @default(GOOD)
  orders Order[]
}
model Order {
  id      Int       @id @default(autoincrement())
  buyer   Buyer     @relation(fields: [buyerId], references: [id])
  buyerId Int
  note    String    @db.VarChar(20)
  at      DateTime?
  @@index([note])
}
"""
_EDITS = (
    ("model Order", "model Tag {\n  id Int @id\n  word String @unique\n}\nmodel Order"),
    ("  orders Order[]", "  email  String?\n  orders Order[]"),
    ("  orders Order[]", '  city   String  @default("")\n  orders Order[]'),
    ("  orders Order[]", "  key    String  @default(uuid())\n  orders Order[]"),
    ("  @@index([note])", "  more   Json?\n  @@index([note])"),
    ("@db.VarChar(40)", "@db.VarChar(80)"),
    ("phone  String?", 'phone  String @default("")'),
    ("score  Int     ", "score  BigInt  "),
    ("email  String?", "email  String? @unique"),
    ("  BAD\n", "  BAD\n  UGLY\n"),
    ("  @@index([note])", "  @@index([note])\n  @@index([at])"),
    ("  UGLY\n", ""),
    (
        "@relation(fields: [buyerId], references: [id])",
        "@relation(fields: [buyerId], references: [id], onDelete: Cascade)",
    ),
    ("  @@index([at])", ""),
    ("city   String", "town   String"),
    ("  at      DateTime?\n", ""),
    ("model Tag {\n  id Int @id\n  word String @unique\n}\n", ""),
)


def main(tool: str, *arguments: str) -> None:
    server = ThrowawayServer(unpack(SANDBOX_CACHE), *SETTINGS)
    try:
        made = _django(server, *arguments) if tool == "django" else _prisma(server)
    finally:
        server.stop()
    lines = [f"-- Made by python -m tests.interop.steps {tool}, with version {made['version']}."]
    for step in made["steps"]:
        told = [line for line in step.splitlines() if line.strip() not in ("", "BEGIN;", "COMMIT;")]
        lines += ["-- step", *(line for line in told if not line.startswith("--"))]
    (STEPS / f"{tool}.sql").write_text("\n".join(lines) + "\n")


def _django(server: ThrowawayServer, python: str) -> dict[str, object]:
    argv = [python, str(_HERE / "django_steps.txt"), f"127.0.0.1:{server.port}:postgres"]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, check=True, env={"PATH": os.environ["PATH"]}
    )
    made: dict[str, object] = json.loads(done.stdout)
    return made


def _prisma(server: ThrowawayServer) -> dict[str, object]:
    tool = install("prisma")
    package = json.loads((tool.folder / "node_modules/prisma/package.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        work = Workspace(Path(folder) / "work", tool).prepare()
        before, after = work.place / "before.prisma", work.place / "after.prisma"
        head = 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n'
        schema, steps = _FIRST, []
        diff = [*work.argv, "migrate", "diff", "--script", "--to-schema-datamodel", str(after)]
        address = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        for number in range(len(_EDITS) + 1):
            if number:
                before.write_text(head + schema)
                old, new = _EDITS[number - 1]
                assert old in schema, old
                schema = schema.replace(old, new, 1)
            after.write_text(head + schema)
            since = ["--from-schema-datamodel", str(before)] if number else ["--from-empty"]
            done = tool.run(
                [*diff, *since],
                work.place / "home",
                cwd=work.place,
                **work.settings(),
                DATABASE_URL=address,
            )
            assert done.returncode == 0, done.stderr
            steps.append(done.stdout)
    return {"version": package["version"], "steps": steps}


if __name__ == "__main__":
    main(*sys.argv[1:])
