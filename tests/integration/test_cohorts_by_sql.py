"""The queries of docs/watch.md for rows that do not tell who had the feature, and the draw of the platform itself."""

import re
import time
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.module_utils._gate.cohorts import (
    CohortComparison,
    Counts,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.models import Bounds, Metric
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import SqlSource, look
from ansible_collections.easymo.deploy.plugins.module_utils._postgres import PostgresTarget
from sandbox.services.routing import in_rollout
from tests.integration.running import query, scratch_database

PAGE = (Path(__file__).parents[2] / "docs/watch.md").read_text("utf-8")
(GIVEN,) = (
    yaml.safe_load(block.replace("{{ database_connections.supabase_db }}", "x"))
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    if "users_bucket" in block
)
NUMBERS = [f"2507{number * 7919 % 10**8:08d}" for number in range(3000)]
BEGAN = time.time() - 3600


def queries(cohort: str) -> dict[str, str]:
    """As Ansible makes them of the page's variables."""
    (metric,) = GIVEN["release_metrics"]
    return {name: jinja2.Template(one).render(GIVEN) for name, one in metric[cohort].items()}


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 1.0])
def test_the_query_draws_as_the_platform_does(world, share):
    drawn = {number: in_rollout(number, 100 * share) for number in NUMBERS}
    failed = set(NUMBERS[::9])
    rows = ", ".join(f"('{one}', {one in failed}, now())" for one in NUMBERS)
    with scratch_database(world) as database:
        query(
            database, "CREATE TABLE requests (phone text, failed boolean, created_at timestamptz)"
        )
        # Of a minute the first message counts, none after a failure, and none from before the watch.
        minute = 60 * (BEGAN // 60 + 10)
        for at in (minute, minute + 30, minute + 120):
            query(
                database,
                f"INSERT INTO requests VALUES {rows.replace('now()', f'to_timestamp({at})')}",
            )
        query(database, "INSERT INTO requests VALUES ('250700', true, now() - interval '2 hours')")
        options = {"ssl_mode": "verify-full", "connect_timeout": 10, **database}
        source = SqlSource(PostgresTarget.from_params(options), 10)
        cohorts = {name: queries(name) for name in ("treated", "control")}
        comparison = CohortComparison(share=share)
        metric = Metric(
            *("users", "postgres", "", ""), Bounds(), cohorts=cohorts, comparison=comparison
        )
        counted = look(source, metric, BEGAN)

    def of(*, treated: bool) -> Counts:
        users = {number for number, one in drawn.items() if one is treated}
        return Counts(2 * len(users - failed) + len(users & failed), len(users & failed))

    cohorts_of = {"treated": of(treated=True), "control": of(treated=False)}
    assert counted.counts == {
        f"{name} {what} ": getattr(one, field)
        for name, one in cohorts_of.items()
        for what, field in (("seen", "observed"), ("failed", "failed"))
    }, counted.problem
