# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""How a pod is asked which flags it runs. What a ConfigMap says proves nothing of a process.

By an HTTP endpoint of the application or a command in its container, whose JSON says it; by `env`, which is all that a
process reads when it has its flags from the environment; or by the files of a volume, which prove only that
they are there to be read.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from .._cluster import Cluster
from .._errors import InputError, RefusedError
from .._jmespath import search

ENVIRONMENT, VOLUME = DELIVERIES = ("environment", "volume")
"""Whether a process has its flags since it started, or takes up what changes in a mounted ConfigMap."""

Values = t.Mapping[str, str]
_PRINT_FILES = (
    'cd "$1" || exit 1; shift; for name; do '
    '[ ! -e "$name" ] || printf "%s=%s\\n" "$name" "$(cat "$name")"; done'
)


@dataclass(frozen=True)
class Http:
    port: int
    path: str
    tls: bool = False


@dataclass(frozen=True)
class FlagsProbe:
    """One of the three, or none for `env`. `values`: where in the JSON the flags are, by their names."""

    http: Http | None = None
    command: tuple[str, ...] = ()
    files: str = ""
    values: str = "@"

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any] | None) -> FlagsProbe:
        """Raises InputError."""
        given = options or {}
        http, command, files = given.get("http"), given.get("command"), given.get("files")
        if sum(map(bool, (http, command, files))) > 1:
            raise InputError(
                "'probe' has more than one of 'http', 'command' and 'files': leave the strongest, in this order."
            )
        values = given.get("values") or "@"
        search(values, {})
        if files and not files.startswith("/"):
            raise InputError(
                f"The 'files' of 'probe' are {files!r}: name the folder by its full path."
            )
        return cls(
            http=Http(http["port"], http["path"].lstrip("/"), http.get("scheme") == "https")
            if http
            else None,
            command=tuple(command or ()),
            files=(files or "").rstrip("/"),
            values=values,
        )

    @property
    def asks_environment(self) -> bool:
        return not (self.http or self.command or self.files)

    @property
    def weakness(self) -> str:
        """What its answer does not prove, "" for nothing."""
        if not self.files:
            return ""
        return (
            f"Pods were asked for the files in {self.files} alone, which does not prove that the application "
            "read them: give it an endpoint or a command that says what it runs, and name it in 'probe'."
        )

    def ask(self, cluster: Cluster, pod: str, container: str, names: t.Iterable[str]) -> Values:
        """What it says of `names`, and maybe of others. Raises a DeployError when it does not say."""
        if self.http:
            told = cluster.proxy(pod, self.http.port, self.http.path, tls=self.http.tls)
            return self._parse(told, f"GET /{self.http.path} of pod {pod}")
        if self.command:
            told = cluster.execute(pod, container, self.command)
            return self._parse(told, f"{self.command[0]!r} in pod {pod}")
        if self.files:
            script = ["sh", "-c", _PRINT_FILES, "sh", self.files, *names]
            return parse_environment(cluster.execute(pod, container, script))
        return parse_environment(cluster.execute(pod, container, ["env"]))

    def _parse(self, told: str, what: str) -> Values:
        try:
            found = search(self.values, json.loads(told))
        except ValueError:
            raise RefusedError(f"{what} answered no JSON") from None
        if not isinstance(found, dict):
            raise RefusedError(f"{what} answered no flags by name at {self.values!r}")
        return {
            name: text for name, value in found.items() if (text := _to_text(value)) is not None
        }


def to_probe(delivery: str, options: t.Mapping[str, t.Any] | None) -> FlagsProbe:
    """Raises InputError where `env` would prove nothing."""
    probe = FlagsProbe.from_options(options)
    if delivery == VOLUME and probe.asks_environment:
        raise InputError(
            "Pods that have their flags from a volume must be asked what they run, and 'probe' is empty: name an "
            "endpoint or a command of the application, or, which proves less, the folder of the files."
        )
    return probe


def parse_environment(output: str) -> dict[str, str]:
    """What `env` prints. A value of several lines keeps its first."""
    pairs = (line.partition("=") for line in output.splitlines())
    return {name: value for name, equals, value in pairs if equals}


def _to_text(value: t.Any) -> str | None:
    """As a ConfigMap has it. A percentage may be told as 1 or as 1.0."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)
