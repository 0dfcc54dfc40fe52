# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to a diagnosis: what is known to be secret, who looks, and what it comes to.

Who looks at what: a collector for each system of an entry. One without its connection tells that and no more.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace
from datetime import datetime
from functools import partial

from .._alerts.api import MonitoringServer
from .._checks.health import libraries, read_checks
from .._errors import InputError, Library, refuse_missing
from .._flags.pods import FlagsProbe
from .._functions.api import SupabaseFunctionsApi
from .._functions.probe import call, read_probes
from .._gate.options import ONE_LOOK, read_metric
from .._gate.sources import Prometheus, Vector, sources_of
from .._http import REQUESTS, Answer, send
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import KUBERNETES, Connection
from .._postgres import PSYCOPG2, PostgresTarget
from .._redaction import Redactor
from .._secret_forms import secrets_within
from .._terminal.commands import Typed
from .._time import format_time
from . import error_rate
from .evidence import CollectedPart, CollectionLimits, Diagnosis, Look, Notebook, gather
from .function import look_at_answers, look_at_list, look_at_logs, look_at_secrets
from .kubernetes import look_at_changes, look_at_deployments, look_at_flags, look_at_record
from .migration import Database, look_at_history, look_at_sessions
from .rules import find_causes

CALL = 10
"""Seconds that a function has for its answer."""
Params = t.Mapping[str, t.Any]
Looks = t.Iterator[tuple[str, Look]]


def looks_of(params: Params) -> list[tuple[CollectedPart, Look]]:
    """Those of the entries asked for, in the order in which they are told, each with the part that it fills."""
    looks: list[tuple[CollectedPart, Look]] = []
    for entry, make in (
        ("crash_loop", _of_crash_loop),
        ("error_rate", _of_error_rate),
        ("function", _of_function),
        ("migration", _of_migration),
    ):
        if entry in params["entries"]:
            looks += [(CollectedPart(entry, title), look) for title, look in make(params)]
    record = _in_cluster(params, look_at_record, params["release"])
    looks += [(CollectedPart(each, "the release record"), record) for each in params["entries"][:1]]
    return looks


def _of_crash_loop(params: Params) -> Looks:
    services, only = params["services"], params["service"]
    yield "the Deployments", _in_cluster(params, look_at_deployments, services=services, only=only)


def _of_error_rate(params: Params) -> Looks:
    given = params["prometheus"]
    only, flags = params["service"], params["flags_config_map"]
    services = [only] if only else params["services"]

    def server() -> Prometheus:
        return Prometheus(MonitoringServer.from_params(given["server"]), given["query_timeout"])

    def suspects() -> Vector:
        query = given["service_errors"] if given else ""
        return server().vector(query) if query else Vector(())

    if given:
        metrics = [read_metric(entry, ONE_LOOK) for entry in given["metrics"]]
        sources = partial(sources_of, {**given, "prometheus": given["server"]})
        yield (
            "the metrics",
            _needing([REQUESTS], lambda n: error_rate.look_at_metrics(n, metrics, sources())),
        )
        look = _needing(
            [REQUESTS], lambda n: error_rate.look_at_prometheus(n, server(), suspects())
        )
        yield "Prometheus", look
    else:
        yield "Prometheus", _blind("Option 'prometheus' is not given.")
    wanted = [only] if only else params["flags_consumers"]
    yield "the error lines", _in_cluster(params, error_rate.look_at_error_lines, wanted, suspects)
    yield "what was changed", _in_cluster(params, look_at_changes, services)
    if flags:
        consumers, probe = params["flags_consumers"], FlagsProbe.from_options(params["probe"])
        yield "the flags", _in_cluster(params, look_at_flags, flags, consumers, probe)
    checks = [check for check in read_checks(params) if check.name in services]
    public = {check.name: check.options for check in checks if check.kind == "http"}
    others = [check for check in checks if check.kind != "http"]

    def ask(name: str) -> Answer:
        options = public[name]
        return send("GET", options["url"], timeout=5, ca_cert=options["ca_cert"])

    if public:
        yield (
            "the public addresses",
            _needing([REQUESTS], error_rate.look_at_public, [*public], ask),
        )
    if others:
        yield (
            "what else tells of services",
            _needing(libraries(others), error_rate.look_at_health, others),
        )


def _of_function(params: Params) -> Looks:
    given, api = params["functions"], params["supabase"]
    if not given:
        yield "the functions", _blind("Option 'functions' is not given.")
        return
    names = [params["function"]] if params["function"] else given["names"]
    probes = read_probes(names, {name: given["probes"].get(name) for name in names})
    if not api or not api["access_token"]:
        yield "the Management API", _blind("Option 'access_token' of 'supabase' is empty.")
    else:
        policy = {
            name: given["verify_jwt_by_name"].get(name, given["verify_jwt"]) for name in names
        }

        def by_api(look: t.Callable[..., None], *args: t.Any) -> Look:
            def act(notes: Notebook) -> None:
                timeout = min(api["request_timeout"], 15)
                look(notes, SupabaseFunctionsApi(api, timeout=timeout, patience=timeout), *args)

            return _needing([REQUESTS], act)

        yield "the functions' list", by_api(look_at_list, policy)
        yield "the secrets", by_api(look_at_secrets, given["required_secrets"])
        yield "the functions' logs", by_api(look_at_logs, names)
    ask = partial(call, options=given, timeout=CALL)
    look = _needing([REQUESTS], look_at_answers, probes, ask)
    yield "the functions' answers", look


def _of_migration(params: Params) -> Looks:
    if not params["databases"]:
        yield "the databases", _blind("Option 'databases' is empty.")
    for given in params["databases"]:
        name, connection = given["name"], given["connection"]
        if connection["login_password"] == "":
            yield name, _blind(f"Option 'login_password' of database {name} is empty.")
            continue
        options = {option: value for option, value in given.items() if option != "connection"}
        database = Database(target=PostgresTarget.from_params(connection), **options)
        yield f"the migrations of {name}", _needing([PSYCOPG2], look_at_history, database)
        yield f"the sessions of {name}", _needing([PSYCOPG2], look_at_sessions, database)


def _in_cluster(params: Params, look: t.Callable[..., None], *args: t.Any, **more: t.Any) -> Look:
    """With a client of its own, which keeps trying no longer than there is time."""
    given = params["kubernetes"]
    if not given:
        return _blind("Option 'kubernetes' is not given.")
    if given["host"] and not given["api_key"]:
        return _blind("Option 'api_key' of 'kubernetes' is empty.")

    def looking(notes: Notebook) -> None:
        look(notes, KubernetesCluster(Connection.from_params(given)), *args, **more)

    return _needing([KUBERNETES], looking)


def _needing(
    libraries: t.Sequence[Library], look: t.Callable[..., None], *args: t.Any, **more: t.Any
) -> Look:
    def looking(notes: Notebook) -> None:
        refuse_missing(libraries)
        look(notes, *args, **more)

    return looking


def _blind(why: str) -> Look:
    def look(_notes: Notebook) -> None:
        raise InputError(f"Not checked: {why}")

    return look


def diagnose_platform(params: t.Mapping[str, t.Any], now: datetime) -> Diagnosis:
    limits = CollectionLimits(seconds=params["timeout"])
    redactor = Redactor([*params["redact"], *secrets_within(params)])
    parts = gather(looks_of(params), redactor=redactor, limits=limits)
    causes = find_causes(
        (fact for part in parts for fact in part.facts), feature=bool(params["flags_config_map"])
    )
    typed = Typed(params["playbooks"], tuple(params["inventories"]), params["program"])
    return Diagnosis(
        release=params["release"],
        at=format_time(now),
        entries=tuple(params["entries"]),
        parts=parts,
        causes=tuple(replace(cause, hint=typed.completed(cause.hint)) for cause in causes),
        missing_secrets=tuple(params.get("missing_secrets") or ()),
    )
