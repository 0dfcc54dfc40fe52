# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults that are set, in one file that every component reads.

A component reads it when it matters (`active`), so a fault takes effect at once and survives a restart.
"""

from __future__ import annotations

import contextlib
import json
import re
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.errors import SandboxError

GENERIC_FAULTS = {
    "paused": "Its processes are stopped: connections are accepted, then hang.",
    "killed": "Its process is killed: connections are refused. It starts again when the fault is cleared.",
}
"""Faults that the supervisor applies to any component."""


@dataclass(frozen=True)
class Fault:
    component: str
    name: str
    target: str = ""
    """What it applies to, for example a service; empty means everything in the component."""
    parameters: t.Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        return float(self.parameters.get(name, default))


def parameters_of(text: str) -> dict[str, str]:
    """The parameters that a fault's sentence names, as `name=default`."""
    return dict(re.findall(r"\b([a-z_]+)=([\w.]*\w)", text))


class FaultsError(SandboxError):
    """The fault file cannot be read as `Faults.write` writes it."""


class Faults:
    """Reads the fault file again only when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._faults: tuple[Fault, ...] = ()

    def all(self) -> tuple[Fault, ...]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._faults = None, ()
            return ()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._stamp:
            # A file somebody spoilt must not end a component: what was set stays set.
            with contextlib.suppress(FaultsError):
                self._faults = self.read()
            self._stamp = stamp
        return self._faults

    def read(self) -> tuple[Fault, ...]:
        """What the file says. Raises FaultsError when it says nothing that can be understood."""
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return tuple(Fault(**entry) for entry in entries)
        except FileNotFoundError:
            return ()
        except (ValueError, TypeError) as exc:
            raise FaultsError(
                f"The faults in {self._path} cannot be read ({exc}): "
                "clear them all with 'python -m sandbox fault clear'."
            ) from exc

    def active(self, component: str, name: str, target: str = "") -> Fault | None:
        """The fault `name` of `component` when it is set for `target` or for everything."""
        for fault in self.all():
            if (fault.component, fault.name) == (component, name) and fault.target in ("", target):
                return fault
        return None

    def write(self, faults: t.Iterable[Fault]) -> None:
        partial = self._path.with_suffix(".partial")
        partial.write_text(
            json.dumps([asdict(fault) for fault in faults], indent=1), encoding="utf-8"
        )
        partial.replace(self._path)
