# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what an inventory says of a namespace that runs: what is known of it, and where a person decides."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from .._cluster import Object
from .._images import split_image
from .._rollout.models import selects

GROUPS = frozenset({"all", "control", "databases", "localhost", "microservices", "ungrouped"})
"""Names that hosts of the inventory cannot have."""
DATABASE = re.compile(r"database|postgres|(^|[_-])(pg|db|dsn)([_-]|$)", re.IGNORECASE)
"""In the name of a variable, a key or a Secret that tells of a database."""
VERSION = re.compile(r"[a-z0-9]([a-z0-9.-]{0,58}[a-z0-9])?")
PLAIN = re.compile(r"[a-zA-Z_][\w./-]*")
WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


HOSTS = """---
# As the namespace {namespace} ran when init.yml read it. A value with CHANGE_ME is yours to fill in.
all:
  children:
    control:
      hosts:
        localhost:"""
VARIABLES_OF_HOSTS = """  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}\""""
ENVIRONMENT = """---
# A value with CHANGE_ME is yours to fill in. readiness.yml lists all that are left, and what else is missing.
environment_name: production
release_checkout: >-
  {{ lookup('ansible.builtin.env', 'RELEASE_CHECKOUT') | default(lookup('ansible.builtin.env', 'PWD'), true) }}
report_directory: "{{ lookup('ansible.builtin.env', 'PWD') }}/.deploy/{{ release_version }}"
"""
MIGRATIONS = """# Or release_prisma_migrations, or release_supabase_migrations, as migration_rehearsal_kind is.
release_sql_migrations: "CHANGE_ME: folder of V1__name.sql, V2__name.sql, …\""""
RELEASE = """  - {name: microservices, title: Services, minutes: 10}
  - {name: smoke_tests, title: Smoke tests, minutes: 5}
  # To watch metrics for half an hour, set prometheus_url and release_metrics, as inventories/example does, and add:
  # - {name: monitoring, title: Watch, minutes: 30}
  - {name: sign_off, title: Sign-off, minutes: 5}
release_metrics: []
release_watch_duration: 1800
release_watch_interval: 10
# At any time. With days, start and end, what changes something begins only then.
release_launch_window: {timezone: UTC}"""


@dataclass(frozen=True)
class Namespace:
    """Everything that was read of it. No Secret was."""

    name: str
    deployments: t.Sequence[Object] = ()
    others: t.Sequence[Object] = ()
    """StatefulSets and DaemonSets, each with its kind."""
    autoscalers: t.Sequence[Object] = ()
    budgets: t.Sequence[Object] = ()
    flags: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    """By ConfigMap that seems to hold feature flags, its keys."""
    unseen: t.Sequence[str] = ()


@dataclass
class Draft:
    """By path in the inventory's folder, the text."""

    files: dict[str, str]

    @property
    def decisions(self) -> list[str]:
        """What only a person knows, in the words of the files."""
        text = "\n".join(self.files.values())
        return [
            f"{name}: {words}" for name, words in re.findall(r'(\w+): "CHANGE_ME: ([^"]+)"', text)
        ]


def draft(seen: Namespace, access: t.Mapping[str, str]) -> Draft:
    """`access`: how the cluster was reached, as options of a connection without its token."""
    rolled, left = _rolled(seen)
    databases = _databases(rolled)
    files = {
        "hosts.yml": "".join(f"{line}\n" for line in _hosts(seen, rolled, left, databases)),
        "group_vars/all.yml": "".join(
            f"{line}\n" for line in _variables(seen, rolled, databases, access)
        ),
    }
    return Draft(files)


@dataclass(frozen=True)
class _Service:
    name: str
    image: str
    container: Object
    body: Object

    @property
    def repository(self) -> str:
        return split_image(self.image)[0]

    @property
    def folder(self) -> str:
        return self.repository.rpartition("/")[0]

    @property
    def tag(self) -> str:
        return split_image(self.image)[1]


def _rolled(seen: Namespace) -> tuple[list[_Service], list[str]]:
    """The services that one release can roll, with images in one folder of a registry; and why not the others."""
    services: list[_Service] = []
    left: list[str] = []
    for body in seen.deployments:
        name, containers = body["metadata"]["name"], body["spec"]["template"]["spec"]["containers"]
        own = [container for container in containers if container["name"] == name]
        chosen = own or containers
        if len(chosen) != 1:
            listed = ", ".join(container["name"] for container in containers)
            left.append(f"{name}: none of its containers ({listed}) is called as it is")
        elif name in GROUPS:
            left.append(f"{name}: a group of the inventory is called so")
        elif not chosen[0].get("readinessProbe"):
            left.append(f"{name}: it has no readinessProbe, so no rollout knows when it serves")
        else:
            services.append(_Service(name, chosen[0].get("image", ""), chosen[0], body))
    folders = Counter(service.folder for service in services)
    if not folders:
        return [], left
    ours = max(folders, key=lambda folder: (folders[folder], len(folder)))
    for service in services:
        if service.folder != ours:
            left.append(
                f"{service.name}: its image {service.image} is not in {ours or 'the same folder'}"
            )
    return [service for service in services if service.folder == ours], left


def _databases(services: t.Iterable[_Service]) -> dict[str, list[str]]:
    """By the Secret that seems to tell where a database is, who has it and as what."""
    uses: dict[str, list[str]] = {}
    for service in services:
        for variable in service.container.get("env") or ():
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
            name, key = reference.get("name", ""), reference.get("key", "")
            if any(map(DATABASE.search, (variable["name"], name, key))):
                uses.setdefault(name, []).append(f"{variable['name']} of {service.name}")
        for source in service.container.get("envFrom") or ():
            name = (source.get("secretRef") or {}).get("name", "")
            if DATABASE.search(name):
                uses.setdefault(name, []).append(f"the environment of {service.name}")
    return dict(sorted(uses.items()))


def host_of(secret: str) -> str:
    """What a database is called in the inventory; variables are called by it."""
    name = re.sub(r"\W", "_", secret).lower()
    return name if DATABASE.search(name) else f"{name}_db"


def _hosts(
    seen: Namespace,
    rolled: t.Sequence[_Service],
    left: t.Sequence[str],
    databases: t.Mapping[str, list[str]],
) -> t.Iterator[str]:
    yield HOSTS.format(namespace=seen.name)
    yield "    databases:"
    if databases:
        yield "      # By the names of Secrets, which were not read. Take out what no release migrates."
        yield "      hosts:"
    for secret, uses in databases.items():
        yield from _database(secret, uses)
    yield "    microservices:"
    if rolled:
        yield "      # One rolls first, then three, then the rest. To decide it: groups service_wave_1, _2, …"
        yield "      hosts:"
    for service in rolled:
        yield f"        # {_told(service, seen)}"
        yield f"        {quoted(service.name)}:"
        own = service.repository.rpartition("/")[2]
        if own != service.name:
            folder = "{{ release_image_repository }}/" if service.folder else ""
            yield f'          service_image: "{folder}{own}:{{{{ release_image_tag }}}}"'
    yield VARIABLES_OF_HOSTS
    if left:
        yield "# Deployments that a release does not roll. To roll one, add it with its service_image:"
        yield from (f"#   {line}" for line in left)
    if seen.others:
        yield "# Not Deployments, so nothing here rolls them:"
    for body in seen.others:
        yield f"#   {body['kind']} {body['metadata']['name']} ({_images(body)})"
    if seen.unseen:
        yield "# What could not be looked at:"
        yield from (f"#   {line}" for line in seen.unseen)


def _database(secret: str, uses: t.Sequence[str]) -> t.Iterator[str]:
    host = host_of(secret)
    yield f"        # Secret {secret}: {', '.join(uses)}."
    yield f"        {host}:"
    values = {
        "database_host": "CHANGE_ME: its host",
        "database_port": 5432,
        "database_name": "CHANGE_ME: the name of the database",
        "database_user": "CHANGE_ME: the owner of its tables, with CREATEDB for rehearsals",
        "database_password": f"{{{{ secret_{host}_password }}}}",
        "database_ca_cert": "CHANGE_ME: file with the authority of its certificate",
        "database_backup_name": host,
        "database_restore_method": "CHANGE_ME: swap, or in_place where others stay connected, as on Supabase",
        "migration_rehearsal_kind": "CHANGE_ME: sql, prisma or supabase",
    }
    yield from (f"          {name}: {quoted(value)}" for name, value in values.items())


def _told(service: _Service, seen: Namespace) -> str:
    """One line on what it runs with."""
    spec = service.body["spec"]
    labels = spec["template"]["metadata"].get("labels") or {}
    count = spec.get("replicas", 1)
    parts = [f"{service.tag or 'no tag'}, {count} {'replica' if count == 1 else 'replicas'}"]
    for scaler in seen.autoscalers:
        if scaler["spec"]["scaleTargetRef"]["name"] == service.name:
            least, most = scaler["spec"].get("minReplicas", 1), scaler["spec"]["maxReplicas"]
            parts.append(f"by its autoscaler {least} to {most}")
    for budget in seen.budgets:
        if selects(budget["spec"].get("selector"), labels):
            bounds = (
                f"{key} {budget['spec'][key]}"
                for key in ("minAvailable", "maxUnavailable")
                if key in budget["spec"]
            )
            parts.append(f"PodDisruptionBudget {budget['metadata']['name']} ({', '.join(bounds)})")
    return "; ".join([*parts, _probe(service)[1]])


def _probe(service: _Service) -> tuple[str, str]:
    """The kind of its readiness probe, and in words."""
    probe = service.container.get("readinessProbe") or {}
    http = probe.get("httpGet")
    if http:
        return "httpGet", f"ready by GET {http.get('path', '/')} of port {http['port']}"
    for kind, words in (("exec", "a program"), ("grpc", "gRPC"), ("tcpSocket", "a TCP port")):
        if kind in probe:
            return kind, f"ready by {words}"
    return "", "ready by a probe of another kind"


def _images(body: Object) -> str:
    containers = body["spec"]["template"]["spec"]["containers"]
    return ", ".join(container.get("image", "") for container in containers)


def _variables(
    seen: Namespace,
    rolled: t.Sequence[_Service],
    databases: t.Mapping[str, list[str]],
    access: t.Mapping[str, str],
) -> t.Iterator[str]:
    tags = Counter(service.tag for service in rolled)
    tag = max(tags, key=lambda name: tags[name]) if tags else ""
    form = "v" if re.match(r"v\d", tag) else ""
    yield ENVIRONMENT
    yield f"kubernetes_namespace: {quoted(seen.name)}"
    yield "# As init.yml reached it. An account of its own is better: docs/rights.md."
    yield f"kubernetes_access: {json.dumps({key: value for key, value in access.items() if value})}"
    yield "# Empty: the one in the images' names."
    yield 'registry_url: ""'
    yield from _health(rolled)
    yield "\n# The release: what changes from one to the next."
    if VERSION.fullmatch(tag.removeprefix(form)):
        yield "# Yours to decide: the version that is released next. This one runs."
        yield f"release_version: {json.dumps(tag.removeprefix(form))}"
    else:
        yield 'release_version: "CHANGE_ME: the version that is released next, like 2.0.0"'
    yield 'release_title: "{{ kubernetes_namespace }} {{ release_version }}"'
    yield f"release_image_repository: {quoted(rolled[0].folder if rolled else '')}"
    yield f'release_image_tag: "{form}{{{{ release_version }}}}"'
    if len(tags) > 1:
        mixed = ", ".join(f"{each.name} {each.tag}" for each in rolled if each.tag != tag)
        yield f"# A release gives all of them one tag. Other tags run now: {mixed}."
        yield "# List in release_services those that it changes."
    if databases:
        yield MIGRATIONS
    yield "# The phases in order. One that is not here does not run."
    yield "release_plan:\n  - {name: preflight, title: Checks, minutes: 5}"
    if databases:
        yield "  - {name: database, title: Database, minutes: 10}"
    yield RELEASE
    for name, keys in seen.flags.items():
        yield f"# ConfigMap {name} seems to hold flags: {', '.join(keys)}."
        yield "# To release with flags: docs/flags-and-kill-switch.md."
    if databases:
        yield "\n# Where the backups go before the database changes."
        yield 'backup_bucket: "CHANGE_ME: the S3 bucket of the backups"'
        yield f"backup_prefix: {quoted(f'{seen.name}/')}"
        yield 'backup_region: "CHANGE_ME: its region"'
    yield from _secrets(databases, access)


def _health(rolled: t.Sequence[_Service]) -> t.Iterator[str]:
    others = {service.name: service for service in rolled if _probe(service)[0] != "httpGet"}
    asked = [service for service in rolled if service.name not in others]
    if asked:
        yield "# Each service's health as users reach it. It answers 200, and JSON with its version."
        yield 'contract_health_url: "CHANGE_ME: the address with {service} for the service\'s name, https://…/{service}"'
        yield '# Where the version is in the answer, "" for none.'
        yield "contract_health_version: version"
    else:
        yield 'contract_health_url: ""'
    if others:
        yield '# Not asked at an address: by the program of the readinessProbe, or "" where only the pods count.'
        yield "contract_health:"
    for name, service in others.items():
        kind, words = _probe(service)
        command = ((service.container.get("readinessProbe") or {}).get("exec") or {}).get("command")
        if kind == "exec":
            container = service.container["name"]
            own = "" if container == name else f", container: {quoted(container)}"
            yield f"  {quoted(name)}: {{exec: {{command: {json.dumps(command)}{own}}}}}"
        else:
            yield f'  {quoted(name)}: ""  # {words}'


def _secrets(databases: t.Mapping[str, list[str]], access: t.Mapping[str, str]) -> t.Iterator[str]:
    entries = (
        {"secret_kubernetes_token": ("KUBERNETES_TOKEN", "the Kubernetes API")}
        if "api_key" in access
        else {}
    )
    for secret in databases:
        host = host_of(secret)
        entries[f"secret_{host}_password"] = (f"{host.upper()}_PASSWORD", f"the database {host}")
    if not entries:
        yield "release_secrets: []"
        return
    yield ""
    yield "# From the environment of the one who deploys; or put the values into a vault: docs/secrets.md."
    for name, (variable, _purpose) in entries.items():
        yield f"{name}: \"{{{{ lookup('ansible.builtin.env', '{variable}') }}}}\""
    yield "release_secrets:"
    for name, (variable, purpose) in entries.items():
        yield f"  - {{name: {name}, environment: {variable}, purpose: {purpose}}}"


def quoted(value: object) -> str:
    """As YAML has it: what could be read as something else stands in quotes."""
    if isinstance(value, int):
        return str(value)
    text = str(value)
    plain = PLAIN.fullmatch(text) and text.lower() not in WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
