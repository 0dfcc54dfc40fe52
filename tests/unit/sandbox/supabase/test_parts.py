"""The pure parts: tokens, rate limit, log queries, table queries, file selection, Deno's rights."""

from pathlib import Path

import pytest

from sandbox.application import checkout
from sandbox.names import RELEASE_VERSION
from sandbox.supabase.client import read_functions
from sandbox.supabase.data import table_query
from sandbox.supabase.errors import ApiError, RefusedError
from sandbox.supabase.runtime import Program, command
from sandbox.supabase.server import RateLimit
from sandbox.supabase.store import FunctionLogs, LogLine, LogQuery, parse_query


def test_the_rate_limit_counts_each_endpoint_by_the_minute():
    rates = RateLimit()
    rates.admit(("GET", "/a"), limit=1, now=0.0)

    with pytest.raises(ApiError) as refused:
        rates.admit(("GET", "/a"), limit=1, now=20.0)
    assert (refused.value.status, (refused.value.headers or {})["Retry-After"]) == (429, "40")
    assert rates.admit(("GET", "/b"), limit=1, now=20.0)["X-RateLimit-Remaining"] == "0"
    assert rates.admit(("GET", "/a"), limit=1, now=60.0)


def test_logs_are_found_newest_first_by_function_level_and_time():
    logs = FunctionLogs()
    for moment in (1, 2, 3):
        logs.add(LogLine("one", "a", "log", str(moment), microseconds=moment))
    logs.add(LogLine("two", "b", "error", "other", microseconds=4))

    found = logs.find(LogQuery(function_id="one", limit=2, end=3))
    assert [line.message for line in found] == ["3", "2"]
    assert [line.message for line in logs.find(LogQuery(level="error"))] == ["other"]


def test_a_log_query_is_read_from_sql_and_times():
    query = parse_query(
        {
            "sql": "select * from function_logs where m.function_id = 'one' and m.level = 'error' LIMIT 7",
            "iso_timestamp_start": "1970-01-01T00:00:01Z",
        }
    )
    assert query == LogQuery(function_id="one", level="error", limit=7, start=1_000_000)


def test_a_table_query_binds_values_and_quotes_names():
    asked = [("select", "name,phone"), ("phone", "eq.1'; drop"), ("order", "name.desc")]
    query = table_query("users", [*asked, ("limit", "5")])

    assert 'SELECT "name", "phone" FROM public."users"' in query.sql
    assert 'WHERE "phone"::text = $1 ORDER BY "name" DESC LIMIT 5' in query.sql
    assert query.values == ("1'; drop",)


@pytest.mark.parametrize(
    "parameter",
    [("select", 'a"b'), ("x", "like.a"), ("order", "a.sideways"), ("limit", "-1"), ("a b", "eq.1")],
)
def test_what_is_not_understood_is_refused(parameter):
    with pytest.raises(RefusedError) as refused:
        table_query("users", [parameter])
    assert refused.value.status == 400


def test_a_function_is_sent_with_what_it_imports_and_no_more():
    with checkout(RELEASE_VERSION) as folder:
        functions = {source.slug: source for source in read_functions(folder)}

    assert set(functions) == {"admin-agents", "admin-metrics", "health", "wa-webhook"}
    assert {Path(path).name for path in functions["health"].files} == {
        "index.ts",
        "http.ts",
        "version.ts",
    }
    webhook = functions["wa-webhook"]
    assert webhook.import_map_path == "supabase/functions/wa-webhook/deno.json"
    assert "supabase/functions/_shared/menu.ts" in webhook.files


def test_a_worker_may_reach_loopback_and_its_own_variables():
    program = Program("a", Path("/x"), "index.ts", "", {"B": "secret", "A": "1"})
    argv = command("deno", program)

    assert "--allow-env=A,B" in argv
    assert "--allow-net=127.0.0.1,localhost" in argv
    assert "secret" not in " ".join(argv)
    allowed = [part for part in argv if part.startswith("--allow")]
    assert len(allowed) == 2
