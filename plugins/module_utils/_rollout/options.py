# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The options of one rollout, which a wave of them has too."""

from __future__ import annotations

import typing as t

from .._documentation import fragment_spec


def options_of(wave: t.Mapping[str, t.Any], service: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of one rollout of a wave, with defaults for what a wave does not have."""
    one = fragment_spec("_kubernetes") | fragment_spec("_guard") | fragment_spec("_rollout")
    common = {name: value for name, value in wave.items() if name in one}
    own = {name: value for name, value in service.items() if name in one and name != "host"}
    defaults = {name: option.get("default") for name, option in one.items()}
    return {**defaults, **common, **own, "state": "released"}
