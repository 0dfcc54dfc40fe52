"""Release records as runs leave them, whole enough to fill every part of a report."""

import math
import typing as t
from datetime import UTC, datetime, timedelta

Record = dict[str, t.Any]


BEGIN = datetime(2026, 11, 24, 5, 45, tzinfo=UTC)
PLAN = (
    {"name": "preflight", "minutes": 15, "title": "Pre-Deploy"},
    {"name": "database", "minutes": 15, "title": "Database"},
    {"name": "edge_functions", "minutes": 10, "title": "Edge Functions"},
    {"name": "microservices", "minutes": 20, "title": "Microservices"},
    {"name": "feature_flags", "minutes": 5, "title": "Feature Flags"},
    {"name": "smoke_tests", "minutes": 15, "title": "Smoke Tests"},
    {"name": "monitoring", "minutes": 60, "title": "Monitoring"},
    {"name": "sign_off", "minutes": 10, "title": "Sign-Off"},
)
SERVICES = (
    ("agent-core",),
    ("ranking-service", "wallet-service", "vendor-service"),
    ("buyer-service", "station-service", "driver-service", "voice-bridge", "marketplace-service",
     "property-service", "healthcare-service", "customer-support-service"),
)  # fmt: skip
COMMIT = "a1b2c3d4" * 5
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egnp.exe\x00 " + "w" * 300
KEPT = ("status", "started", "finished", "at", "decision")


def at(minute: float) -> str:
    return (BEGIN + timedelta(minutes=minute)).isoformat(timespec="seconds").replace("+00:00", "Z")


def phase(status: str, begin: float, end: float | None, **evidence: t.Any) -> Record:
    finished = "" if end is None else at(end)
    return {"status": status, "started": at(begin), "finished": finished, "evidence": evidence,
            "earlier_failures": []}  # fmt: skip


def failed_by(host: str, task: str, message: str, reason: str = "") -> Record:
    failure = {"task": task, "message": message, "lease_lost": False, "result": ""}
    return {host: {**failure, "reason": reason}}


Course = t.Callable[[float], float | None]
"""The value, by how much of the watch is over."""


def metric(
    name: str, unit: str, passes: Record, rolls_back: Record, value: Course, verdict: str
) -> Record:
    points = [[30.0 * n, value(n / 120)] for n in range(120)]
    known = [one for _at, one in points if one is not None]
    return {
        "name": name, "unit": unit, "query": "sum(rate(x[1m]))", "kind": "prometheus",
        "count": 3 * len(known), "missing": 3 * (120 - len(known)), "min": min(known), "max": max(known),
        "mean": sum(known) / len(known), "last": points[-1][1], "problem": "", "verdict": verdict,
        "started": at(80), "points": points, "pass": passes, "rollback": rolls_back,
    }  # fmt: skip


def wave(height: float, swing: float) -> Course:
    return lambda x: height + swing * math.sin(19 * x) * math.cos(7 * x + 1)


Watched = tuple[str, str, Record, Record]
"""Name, unit, and the bounds within which it passes and beyond which it rolls back."""
RESPONSE_TIME: Watched = ("response_time_p95", "seconds", {"max": 1}, {"above": 2})
REDIS: Watched = ("redis_hit_rate", "ratio", {"min": 0.8}, {})


def metrics() -> list[Record]:
    courses: list[tuple[str, str, Record, Record, Course]] = [
        ("error_rate", "ratio", {"max": 0.01}, {"above": 0.05}, wave(0.003, 0.002)),
        (*RESPONSE_TIME, wave(0.7, 0.15)),
        ("fallback_rate", "ratio", {"max": 0.1}, {"above": 0.3}, wave(0.06, 0.03)),
        ("agent_fallbacks", "events", {"max": 10}, {}, lambda x: round(3 + 2 * math.sin(11 * x))),
        ("agent_success_rate", "ratio", {"min": 0.99}, {"below": 0.95}, wave(0.995, 0.003)),
        ("database_connections", "ratio", {"max": 0.8}, {"above": 0.95}, wave(0.41, 0.05)),
        (*REDIS, lambda x: None if 0.4 < x < 0.52 else 0.93 + 0.02 * math.sin(15 * x)),
        ("kafka_lag", "messages", {"max": 1000}, {}, lambda x: 140 + 120 * abs(math.sin(30 * x))),
    ]
    return [metric(*course, "proceed") for course in courses]


def rollout(name: str, seconds: float) -> Record:
    replicas = {"desired": 3, "updated": 3, "ready": 3, "available": 3, "terminating": 0, "old": 0}
    before = {"image": f"easymo/{name}:v1.9.0", "revision": "7"}
    after = {"image": f"easymo/{name}:v2.0.0", "revision": "8"}
    return {"result": "succeeded", "before": before, "after": after, "replicas": replicas,
            "duration": seconds, "diagnosis": {}, "hint": ""}  # fmt: skip


def backup(name: str, count: int) -> Record:
    key = f"v2-migration/{name}_20261124_060012_5e1f0a.dump"
    return {
        "uri": f"s3://easymo-db-backups/{key}", "key": key, "name": name, "size": count,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "started": at(15.2), "finished": at(18.3), "duration": 186,
        "rows": {"public.orders": 48120, "public.users": 9034},
    }  # fmt: skip


def check(name: str, status: str, detail: str, seconds: float, **more: t.Any) -> Record:
    return {"name": name, "status": status, "detail": detail, "seconds": seconds, **more}


def preflight() -> list[Record]:
    rows = [
        ("staging tests", "pass", "84 unit and 21 synthetic tests passed, none failed", 0.4,
         "1 Staging Validation: All tests passing in staging"),
        ("load test", "pass", "100 users, 0.4 % errors, p95 0.71 s", 0.2,
         "1 Staging Validation: Load test completed"),
        ("alert rules", "pass", "4 rules loaded, receivers pagerduty and slack", 0.3,
         "3 Infrastructure Readiness: Alerting rules active"),
        ("changelog", "waived", "the entry follows with the tag", 0.1,
         "4 Code Readiness: Changelog updated"),
    ]  # fmt: skip
    return [check(*row, item=item) for *row, item in rows]


def smoke_tests() -> list[Record]:
    facts = {"question": "On an internal phone, does MENU get the buttons?", "asked_of": "the internal team",
             "answer": "yes", "by": "Jane Doe", "at": at(73), "how": "terminal"}  # fmt: skip
    paid = "order 7e57 was paid, the balance went from 9000 to 7500"
    return [
        check("Database connectivity", "pass", "2 databases answered", 0.02),
        check("Microservices health", "pass", "12 services say ok at v2.0.0", 0.41),
        check("Agent routing", "pass", "the listed number got an agent, another the menu", 3.2),
        check("Payment integration", "pass", paid, 1.9),
        check("phone", "pass", "Jane Doe said yes at 09:58", 31.0, facts=facts),
    ]


def signed(by: str, minute: float, what: str, note: str = "") -> Record:
    said = {"by": by, "at": at(minute), "what": what, "note": note}
    return {**said, "attempt": 1, "git_sha": COMMIT}


def images(services: t.Iterable[str]) -> Record:
    return {f"easymo/{name}:v2.0.0": {"digest": "sha256:2a1c9d", "pinned": ""} for name in services}


def green() -> Record:
    """All eight phases, the database a little late, one more try of the microservices."""
    services = {
        name: rollout(name, 20 + 7 * n + 3 * k)
        for n, group in enumerate(SERVICES)
        for k, name in enumerate(group)
    }
    sessions, preferences = (
        "20251104080000_agent_sessions.sql",
        "20251105090000_agent_preferences/migration.sql",
    )
    waived = {preferences: {"reason": "the column was never read", "findings": []}}
    migrations = {
        "supabase": {"applied": [{"file": sessions}, {"file": "20251104080100_agent_metrics.sql"}],
                     "pending": []},
        "prisma": {"applied": [{"file": preferences}], "pending": [], "waived": waived},
    }  # fmt: skip
    lock = {"relation": "public.users", "mode": "SHARE ROW EXCLUSIVE"}
    rehearsal = {"status": "passed", "durations": {sessions: 0.4}, "locks": {sessions: [lock]}}
    functions = {
        "changes": [
            {
                "slug": "wa-webhook",
                "kind": "changed",
                "files": ["index.ts", "../_shared/version.ts"],
            },
            {"slug": "admin-agents", "kind": "new", "files": ["index.ts"]},
        ],
        "unchanged": ["health"],
        "functions": {"wa-webhook": {"version": 7}},
    }
    flag, percentage = "FEATURE_AI_AGENTS", "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE"
    flags = {"before": {flag: "false", percentage: "0"}, "after": {flag: "true", percentage: "1"}}
    raised = {"what": "raised", "from": 0, "to": 1, "at": at(71), "by": "amina@ops-1", "reason": ""}
    missing = "its image easymo/wallet-service:v2.0.0 is not in the registry (manifest unknown)"
    failures = failed_by("wallet-service", "Roll out the service", missing)
    found: Record = {
        "version": "2.0.0", "attempt": 1, "status": "done", "actor": "amina@ops-1", "git_sha": COMMIT,
        "started": at(0), "finished": at(152), "previous_attempts": [],
        "phases": {
            "preflight": phase("done", 0, 9, preflight=preflight()),
            "database": phase("done", 15, 37, migrations=migrations, rehearsals={"supabase_prod": rehearsal}),
            "edge_functions": phase("done", 37.2, 43, functions=functions),
            "microservices": phase("done", 58, 70, services=services),
            "feature_flags": phase("done", 70.2, 72, flags=flags),
            "smoke_tests": phase("done", 72.1, 80, checks=smoke_tests()),
            "monitoring": phase("done", 80.1, 140.4, metrics=metrics(), verdict="proceed"),
            "sign_off": phase("done", 141, 152),
        },
        "backups": {
            "supabase_prod": backup("supabase_prod", 102_301_444),
            "agent_core_prod": backup("agent_core_prod", 8_412_007),
        },
        "facts": {
            "waves": [list(group) for group in SERVICES],
            "images": images(services),
            "sign_offs": {
                "qa": signed("Grace Uwase", -60, "all user flows by hand"),
                "product": signed("Eric Mugisha", -45, "scope of v2.0", "marketplace stays off"),
            },
            "ramp": {"percentage": 1, "step": 1, "history": [raised]},
        },
        "announcements": {
            "start": {"undelivered": []},
            "success": {"undelivered": [{"channel": "email", "msg": "the server asked for another time"}]},
        },
        "notes": ["The status page was updated by hand at 09:02."],
    }  # fmt: skip
    found["phases"]["microservices"]["earlier_failures"] = [
        {"started": at(43.2), "finished": at(47), "evidence": {"failures": failures}}
    ]
    return found


def held() -> Record:
    """The watch ended without enough data of one metric."""
    found = green()
    seen = metrics()
    seen[6] = metric(*REDIS, lambda x: None if x > 0.55 else 0.93, "hold")
    seen[1] = metric(*RESPONSE_TIME, lambda x: 0.7 + 0.65 * x, "hold")
    why = (
        "Hold: response_time_p95 is 1.34 seconds and should be at most 1; redis_hit_rate has no data at the end "
        "(Prometheus answered with no series). Fix it or wait for data, then run the same phase "
        "again."
    )
    failures = failed_by("localhost", "Watch the metrics, in seconds: 3600", why, "Hold")
    found["phases"]["monitoring"] = phase(
        "failed", 80.1, 140.4, metrics=seen, verdict="hold", failures=failures
    )
    del found["phases"]["sign_off"]
    del found["announcements"]["success"]
    return {**found, "status": "failed", "finished": at(140.4)}


def rolled_back() -> Record:
    """A service was failing at the fourth phase, and a person took everything back."""
    found = green()
    cause = "its container exited with 1 four times: 'Error: cannot reach the ledger'"
    services = found["phases"]["microservices"]["evidence"]["services"]
    waves = [SERVICES[0], SERVICES[1]]
    kept = {name: services[name] for group in waves for name in group}
    kept["wallet-service"] |= {
        "result": "rolled_back",
        "after": {"image": "easymo/wallet-service:v1.9.0"},
        "diagnosis": {"reason": "CrashLoop", "cause": cause},
    }
    settled = (
        "Only what failed was undone. Versions now: v1.9.0: wallet-service, "
        "buyer-service; v2.0.0: agent-core, "
        "ranking-service, vendor-service."
    )
    phases = found["phases"]
    told = f"wallet-service was returned to what ran before: {cause}"
    failures = failed_by("wallet-service", "Roll out the service", told)
    phases["microservices"] = phase(
        "failed", 43.2, 52, services=kept, settlement={"sentence": settled}, failures=failures
    )
    for name in ("feature_flags", "smoke_tests", "monitoring", "sign_off"):
        del phases[name]
    returned = {"result": "rolled_back", "changed": True, "message": ""}
    found["facts"] |= {
        "services_returned": {
            name: {**returned, "after": {"image": f"easymo/{name}:v1.9.0"}} for name in kept
        },
        "kill_switches": {
            at(53): {"what": "set", "by": "amina@ops-1", "reason": "wallets cannot pay"}
        },
        "decisions": {
            f"release-{at(54)}": {"gate": "release", "decision": "reject", "by": "Jane Doe", "at": at(54),
                                  "reason": "the ledger is down", "evidence": {"error_rate": 0.081}}
        },
        "overrides": {
            "launch_window": {"by": "Jane Doe", "reason": "the market day moved", "at": at(-5),
                              "what": "12 min before it opens"}
        },
        "forced_locks": {
            "7": {"by": "amina@ops-1", "reason": "the build machine died", "stolen_from": "joe@build-2"}
        },
    }  # fmt: skip
    found["announcements"] = {"start": {"undelivered": []}, "rolled_back": {"undelivered": []}}
    return {**found, "status": "rolled_back", "finished": at(61)}


def dead() -> Record:
    """Its run was killed while the services were rolled."""
    found = green()
    for name in ("feature_flags", "smoke_tests", "monitoring", "sign_off"):
        del found["phases"][name]
    found["phases"]["microservices"] = phase("running", 43.2, None)
    return {**found, "status": "running", "finished": ""}


def many(count: int = 200) -> Record:
    found = green()
    names = [f"service-{n:03}" for n in range(count)]
    services = {name: rollout(name, 12 + n % 40) for n, name in enumerate(names)}
    cause = {"cause": "a node was out of memory"}
    services[names[77]] |= {"result": "rolled_back", "diagnosis": cause}
    found["phases"]["microservices"]["evidence"]["services"] = services
    rest = (names[n : n + 50] for n in range(10, count, 50))
    found["facts"]["waves"] = [names[:1], names[1:10], *rest]
    found["facts"]["images"] = images(names)
    return found


def hostile() -> Record:
    """The green record with markup, quotes, a direction, a NUL and a long word in every text but its times."""
    spoilt: Record = spoil(green())
    return spoilt


def spoil(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {
            key: one if key in KEPT and isinstance(one, str) else spoil(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [spoil(one) for one in value]
    return f"{HOSTILE}{value}" if isinstance(value, str) else value
