# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures of tasks, in the words that all channels have for them."""

from __future__ import annotations

import typing as t

from ..module_utils._release.models import phase_failure, sentence_of


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {
            "failure_sentence": sentence_of,
            "phase_failure": phase_failure,
        }
