# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Count the error lines of edge functions that match."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from .._errors import DeployError
from .._functions.log import FunctionLog
from .._threads import side_by_side
from .models import Sample, failed_sample
from .options import read_pattern

ERROR = "error"


@dataclass(frozen=True)
class FunctionLogSource:
    """What the functions of these names logged as errors in the last `window` seconds."""

    log: FunctionLog
    functions: tuple[str, ...]
    window: int

    def sample(self, query: str) -> Sample:
        """InputError for a wrong pattern; a function or a log that is not there is a missing sample."""
        pattern = read_pattern(query)
        try:
            ids = self.log.ids()
            absent = [name for name in self.functions if name not in ids]
            if absent:
                return failed_sample(f"the project has no function {', '.join(absent)}")
            logs = side_by_side(self._errors, [ids[name] for name in self.functions])
        except DeployError as exc:
            return failed_sample(str(exc).rstrip("."))
        return Sample(float(sum(1 for log in logs for text in log if pattern.search(text))))

    def _errors(self, function_id: str) -> list[str]:
        since = timedelta(seconds=self.window)
        found = self.log.of_function(function_id, since=since, level=ERROR)
        return [entry.message for entry in found]
