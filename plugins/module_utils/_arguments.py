# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Check values against an argument spec, as Ansible does, with each problem in one short sentence."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ._errors import InputError, in_short
from ._wrong_kinds import Spec, wrong_kinds


def read_options(spec: Spec, given: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """The values that are right, with defaults, and what is wrong with the others."""
    wrong = {name: wrong_kinds({name: option}, given) for name, option in spec.items()}
    known = {name: option for name, option in spec.items() if not wrong[name]}
    rest = {name: value for name, value in given.items() if not wrong.get(name)}
    checked = ArgumentSpecValidator(known).validate(rest)
    told = [sentence for sentences in wrong.values() for sentence in sentences]
    told += [
        _sentence(str(remove_values(message, checked._no_log_values)))
        for message in checked.error_messages
    ]
    return checked.validated_parameters, [in_short(one) for one in told]


def options_or_refusal(spec: Spec, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The values. Raises InputError with all that is wrong with them."""
    values, wrong = read_options(spec, given)
    if wrong:
        raise InputError(" ".join(wrong))
    return values


def _sentence(message: str) -> str:
    """Of keys that an option does not have, Ansible's text begins with their names."""
    unknown = "unknown: " if ". Supported parameters include: " in message else ""
    return f"{unknown}{message.rstrip('.')}."
