"""Backup, rehearsal and restore of a Supabase as it is hosted, by its role `postgres`, who is no superuser."""

import secrets
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _rehearsal
from ansible_collections.easymo.deploy.plugins.modules import pg_backup, pg_restore
from tests.integration.running import bucket, connection, hosted_database, query
from tests.integration.supabase_project import Project
from tests.module_runner import Result, run_module

# As people write it on Supabase: a trigger on auth.users, rows that refer to it and to storage.objects, a publication.
OURS = """
CREATE TABLE public.accounts (
  id uuid PRIMARY KEY REFERENCES auth.users (id) ON DELETE CASCADE,
  token text NOT NULL DEFAULT encode(extensions.gen_random_bytes(8), 'hex'),
  picture_id uuid REFERENCES storage.objects (id) ON DELETE SET NULL);
ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.accounts FOR SELECT TO authenticated USING (id = auth.uid());
CREATE VIEW public.people AS SELECT a.id, u.email FROM public.accounts a JOIN auth.users u USING (id);
CREATE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
AS $$ BEGIN INSERT INTO public.accounts (id) VALUES (new.id); RETURN new; END $$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users
FOR EACH ROW EXECUTE FUNCTION public.handle_new_user();
ALTER PUBLICATION supabase_realtime ADD TABLE public.accounts;
CREATE SCHEMA app;
CREATE TABLE app.notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
INSERT INTO app.notes (note) SELECT 'n' || g FROM generate_series(1, 20) g;
CREATE TABLE public.secrets (k text); REVOKE ALL ON public.secrets FROM anon, authenticated, service_role;
"""
THEIRS = """
INSERT INTO auth.users (id, email) SELECT gen_random_uuid(), 'p' || g || '@example.com' FROM generate_series(1, 5) g;
INSERT INTO storage.buckets (id, name) VALUES ('pictures', 'pictures');
INSERT INTO storage.objects (bucket_id, name) VALUES ('pictures', 'a/me.jpg');
INSERT INTO vault.secrets (name, secret) VALUES ('webhook', 'made up');
INSERT INTO cron.job (schedule, command) VALUES ('0 3 * * *', 'select 1');
"""
CLOSED = [
    "sequence cron.jobid_seq",
    "table auth.schema_migrations",
    "table realtime.schema_migrations",
    "table storage.migrations",
]
OTHERS = "schemas of other roles: auth, cron, graphql, graphql_public, net, pgbouncer, realtime, storage, vault"
APPROVAL = {"approved_by": "Jane Doe", "reason": "The accounts are gone"}
OPEN = "SELECT has_table_privilege('anon', 'public.secrets', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
SHAPE = """
SELECT (SELECT count(*) FROM public.accounts), (SELECT count(*) FROM public.people), (SELECT count(*) FROM app.notes),
  (SELECT count(*) FROM auth.users), (SELECT array_agg(tablename::text) FROM pg_publication_tables)
"""


@dataclass(frozen=True)
class Hosted:
    """One project's database, its deployer's options, and the platform's own superuser as the other side."""

    database: dict[str, t.Any]
    options: dict[str, t.Any]
    administrator: dict[str, t.Any]
    programs: Path

    def backup(self, *, check: bool = False) -> Result:
        return self._run(pg_backup, check, pg_dump=str(self.programs / "pg_dump"))

    def restore(self, *, check: bool = False, diff: bool = False, **more: t.Any) -> Result:
        given = {"psql": str(self.programs / "psql"), **APPROVAL, **more}
        return self._run(pg_restore, check, diff, **given)

    def query(self, sql: str) -> list[tuple[t.Any, ...]]:
        return query(self.options, sql)

    def by_platform(self, sql: str) -> list[tuple[t.Any, ...]]:
        return query(self.administrator, sql)

    def shape(self) -> tuple[t.Any, ...]:
        (found,) = self.query(SHAPE)
        return found

    def _run(self, module: t.Any, check: bool, diff: bool = False, **more: t.Any) -> Result:
        given = {"pg_restore": str(self.programs / "pg_restore"), **self.options, **more}
        return run_module(module, check=check, diff=diff, name="sb", release="2.0.0", **given)


@pytest.fixture
def hosted(world) -> t.Iterator[Hosted]:
    with hosted_database(world) as database:
        options = {**database, **bucket(world, f"test-{secrets.token_hex(4)}/")}
        administrator = connection(world, database["login_db"])
        made = Hosted(database, options, administrator, Path(world.facts("postgres")["bin"]))
        made.query(OURS)
        made.by_platform(THEIRS)
        made.query("UPDATE public.accounts SET picture_id = (SELECT id FROM storage.objects)")
        yield made


@pytest.fixture
def looked_at(hosted) -> t.Iterator[dict[str, t.Any]]:
    """The options of a scratch database that may be made of the backup; gone at the end."""
    name = f"{hosted.options['login_db']}_look"
    yield {**hosted.database, "login_db": name}
    hosted.by_platform(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_the_deployer_is_no_superuser_and_the_platform_owns_its_schemas(hosted):
    role = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    assert hosted.query(f"SELECT {role} FROM pg_roles WHERE rolname = current_user") == [
        (False, True, True, True, True)
    ]
    owners = dict(hosted.query("SELECT nspname, nspowner::regrole::text FROM pg_namespace"))
    assert {owners[name] for name in ("auth", "storage", "realtime", "vault", "cron", "net")} == {
        "supabase_admin"
    }
    assert owners["extensions"] == "postgres"
    assert hosted.query("SELECT count(*) FROM pg_event_trigger") == [(8,)]


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
def test_a_backup_tells_beforehand_what_of_others_it_lacks(hosted, check):
    result = hosted.backup(check=check)
    assert (result["changed"], result["left_out"]) == (True, CLOSED)
    if not check:
        backup = result["backup"]
        assert backup["left_out"] == CLOSED
        assert {"auth", "storage", "vault"} <= set(backup["schemas_of_others"])
        counted = {"auth.users": 5, "cron.job": 1, "public.accounts": 5, "vault.secrets": 1}
        assert counted.items() <= backup["rows"].items()
        assert "auth.schema_migrations" not in backup["rows"]
        assert hosted.backup()["changed"] is False


def test_what_cannot_be_read_in_a_schema_of_ours_is_no_backup(hosted):
    hosted.by_platform("CREATE TABLE app.hidden (id int); REVOKE ALL ON app.hidden FROM postgres")
    refused = hosted.backup(check=True)
    assert refused["reason"] == "Refused"
    assert "may not read app.hidden" in refused["msg"]


def test_a_rehearsal_runs_migrations_that_refer_to_auth_and_storage(hosted, looked_at, tmp_path):
    hosted.backup()
    restored = hosted.restore(method="scratch", login_db=looked_at["login_db"])
    told = "\n".join(restored["left_out"])
    assert 'extension pg_cron (permission denied to create extension "pg_cron")' in told
    assert "pgrst_ddl_watch" in told
    assert "owners and grants of other roles" in told
    assert "pgcrypto" not in told
    (shape,) = query(looked_at, SHAPE)
    assert shape == (5, 5, 20, 5, ["accounts"])
    assert query(looked_at, OPEN) == [(False,)]
    rehearsal = Project(tmp_path, looked_at)
    rehearsal.write(
        v1_receipts="CREATE TABLE public.receipts (id int PRIMARY KEY, owner uuid REFERENCES auth.users (id),"
        " file uuid REFERENCES storage.objects (id)); CREATE POLICY own ON public.receipts USING (owner = auth.uid())"
    )
    applied = rehearsal.run()
    assert [one["version"] for one in applied["applied"]] == ["1"]
    assert not Project(tmp_path, hosted.database).has("public.receipts")
    again = hosted.restore(method="scratch", login_db=looked_at["login_db"], state="absent")
    assert again["changed"] is True


def test_a_rehearsal_leaves_no_role_and_no_membership_to_the_server(
    hosted, looked_at, tmp_path, monkeypatch
):
    """Roles are of all databases, so the release itself could not make them once more."""
    monkeypatch.setattr(_rehearsal, "_record", lambda *_of: None)
    role = f"clerk_{secrets.token_hex(4)}"
    hosted.backup()
    project = Project(tmp_path, hosted.database)
    project.write(
        v1_role=f"CREATE ROLE {role}; GRANT authenticated TO {role}; GRANT SELECT ON app.notes TO {role};"
        f" GRANT {role} TO anon; GRANT anon TO postgres WITH SET FALSE"
    )
    there = "SELECT count(*) FROM pg_roles r JOIN pg_auth_members ON r.oid IN (roleid, member)"
    before = hosted.query(there)
    copy = {**hosted.database, "login_db": looked_at["login_db"]}
    given = {"backup": "sb", "release": "2.0.0", "copy": copy, "owners": "keep", "queries": []}
    programs = {"pg_restore": str(hosted.programs / "pg_restore"), "waiver": "", "waived_by": ""}
    stored = {name: hosted.options[name] for name in hosted.options.keys() - hosted.database.keys()}
    rehearsed = project.run(
        rehearsal={**given, **programs}, kubernetes={"namespace": "none"}, **stored
    )
    assert rehearsed.get("rehearsal", {}).get("status") == "passed", rehearsed
    assert hosted.query(there) == before
    assert not any("role" in remark for remark in rehearsed["remarks"][:-1])
    assert rehearsed["remarks"][-1].endswith("changes to these are not rehearsed.")
    assert project.run()["versions"] == ["1"]
    hosted.by_platform(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_in_place_only_what_is_ours_is_restored(hosted):
    before = hosted.shape()
    publication = hosted.query("SELECT oid FROM pg_publication")
    hosted.backup()
    hosted.query(
        "DROP TABLE public.accounts CASCADE; DELETE FROM app.notes; CREATE TABLE surplus ()"
    )
    hosted.by_platform(
        "INSERT INTO auth.schema_migrations VALUES ('20990101'); DELETE FROM vault.secrets"
    )
    predicted = hosted.restore(method="in_place", check=True, diff=True)
    assert predicted["left_out"][0] == OTHERS
    told = "\n".join(predicted["left_out"])
    assert "event triggers: issue_graphql_placeholder, " in told
    assert "extensions.pgrst_ddl_watch()" in told
    assert not any(one.startswith("auth.") for one in predicted["diff"]["before"]["rows"])

    restored = hosted.restore(method="in_place")
    assert hosted.query(OPEN) == [(False,)]
    assert "TABLE public.secrets" in restored["rights_given_back"]
    assert restored["left_out"] == predicted["left_out"]
    assert restored["dropped"] == predicted["dropped"] == ["TABLE public.surplus"]
    assert hosted.shape() == before
    # Realtime's replication slot goes on reading the very same one.
    assert hosted.query("SELECT oid FROM pg_publication") == publication
    # What is theirs is as they left it, and the way from their tables into ours works.
    assert hosted.by_platform("SELECT count(*) FROM vault.secrets") == [(0,)]
    assert hosted.by_platform(
        "SELECT count(*) FROM auth.schema_migrations WHERE version = '20990101'"
    ) == [(1,)]
    hosted.by_platform("INSERT INTO auth.users (id) VALUES (gen_random_uuid())")
    assert hosted.shape()[0] == before[0] + 1
    assert hosted.restore(method="in_place")["changed"] is False


def test_rights_that_cannot_be_given_back_stop_the_restore_by_name(hosted):
    hosted.backup()
    hosted.by_platform(
        "CREATE FUNCTION extensions.opens() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS"
        " $$ BEGIN GRANT SELECT ON public.secrets TO anon; END $$; CREATE EVENT TRIGGER opens ON ddl_command_end"
        " WHEN TAG IN ('REVOKE') EXECUTE FUNCTION extensions.opens()"
    )
    hosted.query("DELETE FROM app.notes")
    failed = hosted.restore(method="in_place")
    assert "TABLE public.secrets: anon has SELECT" in failed["msg"]
    assert "Nothing was committed" in failed["msg"]
    assert (hosted.shape()[2], hosted.query(OPEN)) == (0, [(False,)])


def test_a_trigger_on_a_table_of_others_that_the_release_dropped_comes_back(hosted):
    hosted.backup()
    hosted.query("DROP FUNCTION public.handle_new_user() CASCADE")
    assert "failed" not in hosted.restore(method="in_place")
    hosted.by_platform("INSERT INTO auth.users (id) VALUES (gen_random_uuid())")
    assert hosted.shape()[0] == 6


def test_users_who_went_since_the_backup_are_named_and_nothing_is_committed(hosted):
    hosted.backup()
    hosted.by_platform("DELETE FROM auth.users WHERE email = 'p1@example.com'")
    before = hosted.shape()
    failed = hosted.restore(method="in_place")
    assert "accounts_id_fkey" in failed["msg"]
    assert "Nothing was committed" in failed["msg"]
    assert hosted.shape() == before


def test_a_policy_that_could_not_be_made_again_is_refused_beforehand(hosted):
    hosted.query("CREATE FUNCTION public.may() RETURNS boolean LANGUAGE sql AS 'SELECT true'")
    hosted.by_platform("CREATE POLICY ours ON storage.objects USING (public.may())")
    hosted.backup()
    for check in (True, False):
        refused = hosted.restore(method="in_place", check=check)
        assert (refused["reason"], "ours on storage.objects" in refused["msg"]) == ("Refused", True)


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
def test_a_swap_is_refused_because_the_twin_would_lack_the_platform(hosted, check):
    hosted.backup()
    refused = hosted.restore(method="swap", check=check)
    assert refused["reason"] == "Refused"
    assert "restore with method 'in_place'" in refused["msg"]


def test_an_event_trigger_that_fails_is_told_in_one_sentence(hosted, tmp_path):
    hosted.backup()
    hosted.by_platform(
        "CREATE FUNCTION extensions.no() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'changes are frozen'; END $$;"
        "CREATE EVENT TRIGGER no ON ddl_command_end EXECUTE FUNCTION extensions.no()"
    )
    project = Project(tmp_path, hosted.database)
    project.write(v1_more="CREATE TABLE more ()")
    for failed in (project.run(), hosted.restore(method="in_place")):
        assert failed["failed"] is True
        assert "changes are frozen" in failed["msg"]
    assert "Nothing was committed" in hosted.restore(method="in_place")["msg"]
    assert hosted.shape()[:3] == (5, 5, 20)
