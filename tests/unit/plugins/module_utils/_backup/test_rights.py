"""Rights of a backup's moment against those of now: what differs, which SQL gives it back, and when that is no use."""

import json

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import Manifest
from ansible_collections.easymo.deploy.plugins.module_utils._backup.rights import (
    DatabaseObject,
    ExpectedRights,
    ObjectRights,
    PrivilegeGrant,
    RowPolicy,
    give_back,
    grouped,
    ungrouped,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import VerificationError
from tests.fakes.backups import manifest
from tests.tables import cases

TABLE = DatabaseObject("TABLE", "public", "public.t")
DEFAULT = DatabaseObject("TABLES", "public", "FOR ROLE app IN SCHEMA public")
READ = PrivilegeGrant("anon", "SELECT", "app", False, "")
APP = ObjectRights("app")


def expected(rights, *, backup=18, present=18, roles=("app", "clerk")):
    return ExpectedRights(
        rights, lambda _subject, owner: owner in roles, frozenset(roles), backup, present
    )


def given(held, present, **more):
    """The SQL of each round until what the server says is what it was asked for."""
    answers, rounds = iter((present, held)), []
    give_back(expected(held, **more), lambda: next(answers), rounds.append)
    return rounds


@cases(
    ("held", "present", "statements"),
    {
        "equal": ({TABLE: APP}, {TABLE: APP}, []),
        "granted": (
            {TABLE: APP},
            {TABLE: ObjectRights("app", (READ,))},
            ['REVOKE SELECT ON TABLE public.t FROM "anon" CASCADE'],
        ),
        "column": (
            {
                TABLE: ObjectRights(
                    "app", (READ._replace(column='a "b"', grantee="", grantable=True),)
                )
            },
            {TABLE: APP},
            ['GRANT SELECT ("a ""b""") ON TABLE public.t TO PUBLIC WITH GRANT OPTION'],
        ),
        "built-in": (
            {TABLE: APP},
            {TABLE: ObjectRights("app", (), (READ,))},
            ['GRANT SELECT ON TABLE public.t TO "anon"'],
        ),
        "owner-first": (
            {TABLE: ObjectRights("app", (READ,))},
            {TABLE: ObjectRights("clerk")},
            ['ALTER TABLE public.t OWNER TO "app"'],
        ),
        "by-another": (
            {TABLE: ObjectRights("app", (READ._replace(grantor="clerk"),))},
            {TABLE: APP},
            ['SET LOCAL ROLE "clerk"', 'GRANT SELECT ON TABLE public.t TO "anon"', "RESET ROLE"],
        ),
        "default-of-now": (
            {},
            {DEFAULT: ObjectRights("app", (READ,))},
            [
                'ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public REVOKE SELECT ON TABLES FROM "anon" CASCADE'
            ],
        ),
        "row-security": (
            {TABLE: ObjectRights("app", row_security=("ENABLE",))},
            {TABLE: ObjectRights("app", row_security=("FORCE",))},
            [
                "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE public.t NO FORCE ROW LEVEL SECURITY",
            ],
        ),
        "of-others": (
            {TABLE: ObjectRights("platform", (READ,))},
            {TABLE: ObjectRights("platform")},
            [],
        ),
        "extension-elsewhere": ({TABLE: ObjectRights("app", extension=True)}, {}, []),
    },
)
def test_what_differs_is_given_back(held, present, statements):
    assert [statement for each in given(held, present) for statement in each] == statements


MAINTAIN, POLICY = (
    READ._replace(privilege="MAINTAIN"),
    RowPolicy("own", "r", True, "anon", "id = 1", ""),
)


@cases(
    ("more", "now"),
    {
        "a-new-privilege": (
            {"backup": 16},
            ObjectRights("app", (MAINTAIN, READ), (), (), (POLICY,)),
        ),
        "other-words": (
            {"backup": 17},
            ObjectRights("app", (READ,), (), (), (POLICY._replace(using="(id = 1)"),)),
        ),
    },
)
def test_another_version_of_the_server_is_no_difference(more, now):
    held = {TABLE: ObjectRights("app", (READ,), (), (), (POLICY,))}
    assert given(held, {TABLE: now}, **more) == []
    with pytest.raises((VerificationError, StopIteration)):
        give_back(expected(held), iter([{TABLE: now}] * 2).__next__, lambda _sql: None)


@cases(
    ("held", "now", "words"),
    {
        "gone": (APP, None, "TABLE public.t: it is not there"),
        "stays": (APP, ObjectRights("app", (READ,)), "TABLE public.t: anon has SELECT"),
        "grantor": (
            ObjectRights("app", (READ._replace(grantor="other"),)),
            APP,
            "TABLE public.t: anon lacks SELECT",
        ),
        "policy": (
            ObjectRights("app", policies=(POLICY,)),
            APP,
            "TABLE public.t: policy own differs",
        ),
    },
)
def test_what_cannot_be_given_back_is_named(held, now, words):
    with pytest.raises(VerificationError, match="cannot give them back: " + words):
        give_back(expected({TABLE: held}), lambda: {TABLE: now} if now else {}, lambda _sql: None)


def test_a_manifest_keeps_rights_and_an_older_one_has_none():
    rights = {
        TABLE: ObjectRights("app", (READ,), (MAINTAIN,), ("ENABLE",), (POLICY,)),
        DEFAULT: APP,
    }
    kept = Manifest.from_json(manifest(rights=grouped(rights)).to_json())
    read = ungrouped(kept.rights)
    assert expected(rights).missing(read) == {}
    assert expected(read).missing(rights) == {}
    older = json.loads(manifest().to_json())
    del older["rights"]
    assert Manifest.from_json(json.dumps(older).encode()).rights == ()
    with pytest.raises(ValueError, match="no list"):
        Manifest.from_json(json.dumps({**older, "rights": 3}).encode())
