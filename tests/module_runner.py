"""Run a module of the collection in this process."""

import contextlib
import io
import json
import typing as t

from ansible.module_utils.testing import patch_module_args

Result = dict[str, t.Any]


class RunnableModule(t.Protocol):
    def main(self) -> None: ...


def run_module(
    module: RunnableModule, *, check: bool = False, diff: bool = False, **args: t.Any
) -> Result:
    """What the module prints at its end, be it a success or a failure."""
    printed = io.StringIO()
    given = {**args, "_ansible_check_mode": check, "_ansible_diff": diff}
    with (
        patch_module_args(given),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    return json.loads(printed.getvalue())
