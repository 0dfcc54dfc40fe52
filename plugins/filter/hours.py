# SPDX-License-Identifier: GPL-3.0-or-later
"""Hours of a day in a time zone: whether it is one of them, and how people are told of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils._errors import InputError
from ..module_utils._time import is_within, moment_of, now
from ..module_utils._window import for_people, read_window


def launch_window(window: t.Mapping[str, t.Any]) -> str:
    try:
        return for_people(read_window(window), now())
    except InputError as exc:
        raise AnsibleFilterError(str(exc)) from exc


def within_hours(hours: t.Mapping[str, t.Any], at: str = "") -> bool:
    if not hours:
        return True
    try:
        return is_within(hours, moment_of(at) if at else now())
    except InputError as exc:
        raise AnsibleFilterError(f"within_hours: {exc}") from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "launch_window": launch_window,
            "within_hours": within_hours,
        }
