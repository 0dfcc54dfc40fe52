import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import (
    PostgresTarget,
    connection_failure,
)

DIRECT, POOLER = "db.abcdefghijklmnopqrst.supabase.co", "aws-0-eu-west-1.pooler.supabase.com"
GIVEN: dict[str, t.Any] = {
    "login_user": "postgres",
    "login_password": None,
    "login_db": "postgres",
    "ssl_mode": "verify-full",
    "ca_cert": None,
    "connect_timeout": 10,
}
ADVICE = "\n\tIs the server running on that host and accepting TCP/IP connections?\n"


@pytest.mark.parametrize("host", [DIRECT, POOLER])
def test_the_transaction_mode_of_a_pooler_is_refused_and_its_session_mode_taken(host):
    with pytest.raises(InputError, match=r"transaction mode.*Set port 5432"):
        PostgresTarget.from_params({**GIVEN, "login_host": host, "login_port": 6543})
    assert (
        PostgresTarget.from_params({**GIVEN, "login_host": host, "login_port": 5432}).host == host
    )


def test_another_server_may_have_that_port():
    given = {**GIVEN, "login_host": "db.example.com", "login_port": 6543}
    assert PostgresTarget.from_params(given).port == 6543


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # As libpq 18 says it: of a name with that address, of the address itself, and of a name with both kinds.
        (f'connection to server at "{DIRECT}" (2001:db8::1), port 5432 failed: Network is unreachable{ADVICE}', True),
        (f'connection to server at "2001:db8::1", port 5432 failed: No route to host{ADVICE}', True),
        (
            f'connection to server at "h" (2001:db8::1), port 5432 failed: Network is unreachable{ADVICE}'
            f'connection to server at "h" (192.0.2.1), port 5432 failed: No route to host{ADVICE}',
            False,
        ),
        (f'connection to server at "h" (2001:db8::1), port 5432 failed: Connection refused{ADVICE}', False),
    ],
    ids=["name", "address", "both kinds", "refused"],
)  # fmt: skip
def test_a_machine_without_ipv6_is_told_so(said, told):
    target = PostgresTarget(host=DIRECT, user="postgres", database="postgres")
    assert ("Give this machine IPv6" in str(connection_failure(target, said))) is told


NOTHING = dict.fromkeys([*GIVEN, "login_host", "login_port"]) | {
    "login_db": "shop",
    "connect_timeout": 10,
}
LIBPQ = {
    "PGHOST": "db.example.com", "PGPORT": "6000", "PGUSER": "ann", "PGPASSWORD": "s3cret",
    "PGSSLROOTCERT": "/ca.pem", "PGPASSFILE": "/pgpass", "PGDATABASE": "another",
}  # fmt: skip


@pytest.fixture
def libpq(monkeypatch) -> None:
    for name, value in LIBPQ.items():
        monkeypatch.setenv(name, value)


def test_what_no_option_says_is_read_from_libpqs_variables(libpq):
    target = PostgresTarget.from_params(NOTHING)
    assert (target.host, target.port, target.user, target.database, target.ssl_mode) == (
        "db.example.com", 6000, "ann", "shop", "verify-full",
    )  # fmt: skip
    assert target.environment() == {
        **LIBPQ,
        "PGDATABASE": "shop",
        "PGSSLMODE": "verify-full",
        "PGCONNECT_TIMEOUT": "10",
    }
    mine = {"login_host": "mine", "login_port": 1, "login_user": "me", "login_password": "p"}
    own = PostgresTarget.from_params({**NOTHING, **mine, "ca_cert": "/mine.pem"})
    assert (own.host, own.port, own.user, own.password) == tuple(mine.values())
    assert own.ca_cert == "/mine.pem"


@pytest.mark.parametrize(
    ("variable", "option", "used"),
    [
        ("verify-ca", None, "verify-ca"),
        ("require", None, "verify-full"),
        ("disable", None, "verify-full"),
        ("disable", "require", "require"),
    ],
)
def test_no_variable_weakens_tls(libpq, monkeypatch, variable, option, used):
    monkeypatch.setenv("PGSSLMODE", variable)
    assert PostgresTarget.from_params({**NOTHING, "ssl_mode": option}).ssl_mode == used


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [("PGHOST", "", "'login_host' is missing"), ("PGUSER", "", "'login_user' is missing"),
     ("PGPORT", "many", "PGPORT in the environment is 'many'")],
)  # fmt: skip
def test_what_is_missing_is_named_with_its_variable(libpq, monkeypatch, variable, value, told):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=told) as refused:
        PostgresTarget.from_params(NOTHING)
    assert variable in str(refused.value)
