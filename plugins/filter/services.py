# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of an inventory: their waves, their checks, and the variables of each for one task."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._waves.rollback import Waves, waves_of

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
    health: t.Mapping[str, Options],
    version: str = "",
    version_at: str = "version",
    form: bool = False,
) -> dict[str, t.Any]:
    check = health[service]
    if check["kind"] != "http" or not (version and version_at):
        return {**check}
    http = check["http"]
    if form:
        prefixed = "true" if version.startswith("v") else "false"
        like = f"starts_with(to_string({version_at}), 'v') == `{prefixed}`"
        return {**check, "http": {**http, "holds": [*http.get("holds", ()), version_at, like]}}
    return {**check, "http": {**http, "json": {**http.get("json", {}), version_at: version}}}


def service_waves(
    groups: t.Mapping[str, t.Sequence[str]], group: str, only: t.Collection[str] | None = None
) -> Waves:
    waves = waves_of(groups, group)
    if only is not None:
        # A list of Ansible's renders each of its values whenever one is looked for.
        wanted = {*only}
        waves = [[name for name in wave if name in wanted] for wave in waves]
    return [wave for wave in waves if wave]


def host_values(
    hosts: t.Iterable[str], hostvars: t.Mapping[str, Options], names: t.Mapping[str, str]
) -> list[dict[str, t.Any]]:
    return [{"host": host, **_values(hostvars[host], names)} for host in hosts]


def _values(variables: Options, names: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {key: variables[name] for key, name in names.items() if name in variables}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "host_values": host_values,
            "service_check": service_check,
            "service_health": service_health,
            "service_waves": service_waves,
        }
