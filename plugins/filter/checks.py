# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of services and databases, made of what an inventory says of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

Options = t.Mapping[str, t.Any]


def service_health(
    services: t.Sequence[str],
    url: str,
    others: Options | None = None,
    kubernetes: Options | None = None,
    prometheus: Options | None = None,
) -> dict[str, dict[str, t.Any]]:
    strangers = sorted({*(others or {})} - {*services})
    if strangers:
        raise AnsibleFilterError(
            f"contract_health names {strangers[0]!r}, which is no service of the inventory: correct the name."
        )
    checks = {}
    for service in services:
        kind, options = _read(service, (others or {}).get(service, url))
        if kind == "exec":
            options = {**(kubernetes or {}), "deployment": service, **options}
        if kind == "metric":
            options = {"prometheus": prometheus, **options}
        if options:
            checks[service] = {"name": service, "kind": kind, kind: options}
    return checks


def _read(service: str, health: str | Options) -> tuple[str, Options]:
    if isinstance(health, str):
        return "http", {"url": health.replace("{service}", service)} if health else {}
    kinds = list(health.items()) if isinstance(health, dict) else []
    if len(kinds) != 1 or not isinstance(kinds[0][1], dict):
        raise AnsibleFilterError(
            f"contract_health says {health!r} of {service!r}: give a URL, nothing at all, or one kind of check "
            "with its options, such as {exec: {command: [program, argument]}}."
        )
    return kinds[0]


def service_check(
    service: str,
    health: str | t.Mapping[str, t.Mapping[str, t.Any]],
    version: str = "",
    version_at: str = "version",
    form: bool = False,
) -> dict[str, t.Any]:
    if isinstance(health, str):
        url = health.replace("{service}", service)
        check: t.Mapping[str, t.Any] = {"name": service, "kind": "http", "http": {"url": url}}
    else:
        check = health[service]
    if check["kind"] != "http" or not (version and version_at):
        return {**check}
    http = check["http"]
    if form:
        prefixed = "true" if version.startswith("v") else "false"
        like = f"starts_with(to_string({version_at}), 'v') == `{prefixed}`"
        return {**check, "http": {**http, "holds": [*http.get("holds", ()), version_at, like]}}
    return {**check, "http": {**http, "json": {**http.get("json", {}), version_at: version}}}


def database_check(
    database: dict[str, t.Any], kind: str = "postgres", item: str = ""
) -> dict[str, t.Any]:
    name, connection = database["key"], database["value"]
    if kind == "postgres":
        return {"name": name, "kind": kind, "postgres": connection}
    url = f"postgresql://{connection['login_host']}:{connection['login_port']}"
    options = {"url": url, "ca_cert": connection["ca_cert"]}
    return {"name": f"certificate_{name}", "item": item, "kind": kind, "certificate": options}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "service_health": service_health,
            "service_check": service_check,
            "database_check": database_check,
        }
