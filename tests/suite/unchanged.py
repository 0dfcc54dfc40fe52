"""A plugin of pytest for `make check`: it passes over a file of tests whose inputs are as they were when it passed.

Inputs are the file, what it imports of this repository directly or through others, each conftest.py above it, other
files of its folder, and the packages. What a test only reads elsewhere is not known here: `make test` runs all.
"""

import ast
import functools
import hashlib
import json
import typing as t
from pathlib import Path

import pytest

from tests.caches import ROOT

KEPT = ROOT / ".cache" / "unchanged.json"
PACKAGES = ROOT / "requirements.lock"
COLLECTION = "ansible_collections.easymo.deploy."


class Inputs:
    """Files of a repository and what they import. `imports`: by a file's SHA-256, as an earlier session parsed it."""

    def __init__(self, root: Path, imports: t.Mapping[str, list[str]]) -> None:
        self._root = root
        self._known = imports
        self.imports: dict[str, list[str]] = {}

    @functools.cache  # noqa: B019 - lives as long as the session
    def digest(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def fingerprint(self, test: Path) -> str:
        """Of all inputs of a file of tests."""
        files = {test, self._root / PACKAGES.name, *self._closure(test)}
        files |= {
            path for path in test.parent.rglob("*") if path.is_file() and path.suffix != ".pyc"
        }
        above = (
            folder / "conftest.py" for folder in test.parents if folder.is_relative_to(self._root)
        )
        for conftest in filter(Path.is_file, above):
            files |= {conftest, *self._closure(conftest)}
        text = "\n".join(f"{path} {self.digest(path)}" for path in sorted(files) if path.is_file())
        return hashlib.sha256(text.encode()).hexdigest()

    def _closure(self, path: Path) -> set[Path]:
        reached: set[Path] = set()
        waiting = [path]
        while waiting:
            for imported in self._imported(waiting.pop()) - reached:
                reached.add(imported)
                waiting.append(imported)
        return reached

    @functools.cache  # noqa: B019 - lives as long as the session
    def _imported(self, path: Path) -> frozenset[Path]:
        names = self._known.get(self.digest(path))
        if names is None:
            names = sorted(_names(ast.parse(path.read_bytes())))
        self.imports[self.digest(path)] = names
        return frozenset(file for name in names for file in self._files(name, path))

    def _files(self, name: str, importer: Path) -> t.Iterator[Path]:
        dots = len(name) - len(name.lstrip("."))
        folder = importer.parents[dots - 1] if dots else self._root
        place = folder.joinpath(*filter(None, name.lstrip(".").removeprefix(COLLECTION).split(".")))
        yield from filter(Path.is_file, (place.with_suffix(".py"), place / "__init__.py"))


def _names(tree: ast.AST) -> set[str]:
    """Each module that may be meant: `from a import b` is of a, or of a.b."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            between = "" if module.endswith(".") else "."
            names |= {module, *(f"{module}{between}{alias.name}" for alias in node.names)}
    return names


class Unchanged:
    """Compares while pytest collects, and keeps what passed."""

    def __init__(self) -> None:
        kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
        self._passed: dict[str, str] = kept.get("passed", {})
        self._inputs = Inputs(ROOT, kept.get("imports", {}))
        self._failed: set[str] = set()
        self._ran: set[str] = set()
        self.passed_over = 0

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        name = str(collection_path.relative_to(ROOT))
        if collection_path.suffix != ".py" or name not in self._passed:
            return None
        if self._inputs.fingerprint(collection_path) != self._passed[name]:
            return None
        self.passed_over += 1
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        (self._failed if report.failed else self._ran).add(report.nodeid.partition("::")[0])

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.passed_over:
            session.exitstatus = pytest.ExitCode.OK
        elif exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        for name in self._ran - self._failed:
            self._passed[name] = self._inputs.fingerprint(ROOT / name)
        for name in self._failed:
            self._passed.pop(name, None)
        KEPT.parent.mkdir(exist_ok=True)
        kept = {"passed": self._passed, "imports": self._inputs.imports}
        KEPT.write_text(json.dumps(kept), encoding="utf-8")

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        why = f"{self.passed_over} files of tests are unchanged since they passed, 'make test' runs them"
        terminalreporter.write_line(why)
        reporter = config.pluginmanager.get_plugin("events")
        if reporter is not None and self.passed_over:
            reporter.emit({"test": "unchanged", "outcome": "skipped", "seconds": 0, "why": why})


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Unchanged(), "unchanged")
