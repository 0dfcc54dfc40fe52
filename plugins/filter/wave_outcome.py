# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wave with a failing service leaves behind, for the record and for the operator."""

from __future__ import annotations

DOCUMENTATION = r"""
name: wave_outcome
short_description: What a wave with a failing service leaves behind
version_added: 0.2.0
author: Maintainers of easymo.deploy (@easymo)
description: Tells what was undone and which service stands where, once as data and once as a sentence for people.
positional: failures, policy, returned, rollouts
options:
  _input:
    description: The services as they stand, RV(easymo.deploy.rollout#module:deployments).
    type: list
    elements: dict
    required: true
  failures:
    description: The failure of each failed service by its name, of which C(result) tells how its rollout ended.
    type: dict
    required: true
  policy:
    description: The policy of the release.
    type: str
    choices: [undo_failed, undo_release, hold]
    required: true
  returned:
    description: What M(easymo.deploy.release_rollback) returned, empty when it was not asked.
    type: dict
    default: {}
  rollouts:
    description:
      - What M(easymo.deploy.rollout) returned of each service, by its name. A failed service whose rollout succeeded
        runs the release with pods that are well, so it is paused and not undone, unless O(returned) says that it was.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Say what stands where
  ansible.builtin.debug:
    msg: "{{ (rollouts.deployments | easymo.deploy.wave_outcome({}, 'hold')).sentence }}"
"""

RETURN = r"""
_value:
  description:
    - C(policy); C(undone), how the undoing ended by service; C(not_undone), the services that should have returned and
      did not; C(paused), the services that run the release and were not undone although they failed; C(standing), the
      image by service; C(sentence).
  type: dict
"""

import json
import typing as t

from ..module_utils._formats import grouped
from ..module_utils._images import image_of, version_of

UNDONE = ("rolled_back", "rollback_failed")
ROLLED = ("succeeded", "no_change")
NOTHING = "Nothing was undone."
WORDS = {
    "undo_failed": "Only what failed was undone.",
    "undo_release": "All of this release was undone.",
    "hold": NOTHING,
}

Entry = t.Mapping[str, t.Any]


def wave_outcome(
    deployments: t.Sequence[Entry],
    failures: t.Mapping[str, Entry],
    policy: str,
    returned: Entry | None = None,
    rollouts: t.Mapping[str, Entry] | None = None,
) -> dict[str, t.Any]:
    services: t.Mapping[str, Entry] = (returned or {}).get("services") or {}
    undone = {
        name: failure["result"]
        for name, failure in failures.items()
        if failure.get("result") in UNDONE
    } | {name: service["result"] for name, service in services.items() if service["changed"]}
    stuck = [name for name, service in services.items() if service["message"]]
    paused = [
        name
        for name in failures
        if name not in undone and (rollouts or {}).get(name, {}).get("result") in ROLLED
    ]
    standing = {
        deployment["name"]: image_of(deployment["name"], deployment["images"])
        for deployment in deployments
    }
    sentences = [WORDS[policy] if undone else NOTHING]
    if (returned or {}).get("failed") and not services:
        sentences = [f"Nothing more was undone: {(returned or {}).get('msg', '')}"]
    elif stuck:
        sentences = [f"Not undone, check them now: {', '.join(stuck)}."]
    sentences += [*_paused(paused), _where(deployments)]
    return {
        "policy": policy,
        "undone": undone,
        "not_undone": stuck,
        "paused": paused,
        "standing": standing,
        "sentence": " ".join(sentences),
    }


def _paused(names: t.Sequence[str]) -> t.Iterator[str]:
    if names:
        yield (
            f"Paused there: {', '.join(names)}, whose rollout succeeded and whose pods are "
            "healthy, so a rollback may not help: find out why, then resume. To roll back "
            "anyway: playbooks/rollback.yml --tags services "
            f"-e '{json.dumps({'service_rollback_names': [*names]})}'."
        )


def _where(deployments: t.Sequence[Entry]) -> str:
    versions = {
        entry["name"]: version_of(image_of(entry["name"], entry["images"])) or "no tag"
        for entry in deployments
    }
    by_version = sorted(grouped(versions).items())
    parts = [f"{version}: {', '.join(names)}" for version, names in by_version]
    unsettled = [deployment["name"] for deployment in deployments if not deployment["complete"]]
    if unsettled:
        parts.append(f"not complete: {', '.join(unsettled)}")
    return f"Versions now: {'; '.join(parts)}."


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"wave_outcome": wave_outcome}
