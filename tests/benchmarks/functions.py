"""Sixty edge functions, unchanged and changed, against an API that keeps its limits and bundles in no time.

So what is measured is what we add: reading the checkout, comparing, uploading, and waiting no longer than the API asks.
"""

import tempfile
import time
import typing as t
from pathlib import Path

from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.fakes.management_api import REF, TOKEN, Management, management_api
from tests.integration.module_process import ModuleProcess

THE_LIMIT = 120
"""Calls a minute to each endpoint, of the platform."""
A_LOWER_LIMIT = 40
MODULES = 20
"""That each function shares with the others, of some 4 kB each."""
_WITHIN = 300.0
_BODY = "export function f(n: number) { return `${n} / ${n}`; } // as functions are\n" * 50


def functions(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    number = size.of(small=3, full=60)
    with tempfile.TemporaryDirectory(prefix="easymo-bench-") as folder, management_api() as api:
        checkout = _checkout(Path(folder), number)
        api.limit = THE_LIMIT
        _new, result = _deployed(api, checkout, {})
        unchanged, result = _deployed(api, checkout, result["known"])
        yield Measurement(f"{number} functions, unchanged", unchanged, "s", 3.0)

        _touch(checkout, "second")
        # A minute of its own, for the first uploads count too.
        api.forget_rates()
        changed, result = _deployed(api, checkout, result["known"])
        allowed = number / THE_LIMIT * 60
        note = f"{number} uploads at {THE_LIMIT} a minute are {allowed:.0f} s"
        yield Measurement(f"{number} functions, changed", changed, "s", 1.2 * allowed, note)

        if size is Size.SMALL:
            return  # What follows waits for a minute.
        _touch(checkout, "third")
        api.forget_rates()
        api.limit = A_LOWER_LIMIT
        changed, result = _deployed(api, checkout, result["known"])
        # The first uploads fill a minute at once, the rest is the next one's.
        note = (
            f"{A_LOWER_LIMIT} a minute, so that a minute must be waited for; took {changed:.1f} s"
        )
        yield Measurement(
            "… where the limit is met, to that minute", changed / 60, "ratio", 1.2, note
        )


def _checkout(root: Path, functions: int) -> Path:
    folder = root / "supabase" / "functions"
    (folder / "_shared").mkdir(parents=True)
    for number in range(MODULES):
        (folder / "_shared" / f"m{number}.ts").write_text(_BODY)
    imports = "".join(
        f'import {{ f as f{n} }} from "../_shared/m{n}.ts";\n' for n in range(MODULES)
    )
    for number in range(functions):
        (folder / f"f{number}").mkdir()
        (folder / f"f{number}" / "index.ts").write_text(imports + _BODY)
    return folder


def _touch(checkout: Path, word: str) -> None:
    (checkout / "_shared" / "m0.ts").write_text(f"{_BODY}// {word}\n")


def _deployed(
    api: Management, checkout: Path, known: dict[str, t.Any]
) -> tuple[float, dict[str, t.Any]]:
    began = time.monotonic()
    arguments = {
        "api_url": api.url,
        "project_ref": REF,
        "access_token": TOKEN,
        "directory": str(checkout),
        "verify_jwt": False,
        "known": known,
    }
    result = ModuleProcess("edge_functions", arguments).result(_WITHIN)
    seconds = time.monotonic() - began
    if result.get("failed"):
        raise BenchmarkError(result["msg"])
    return seconds, result
