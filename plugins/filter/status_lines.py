# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a deployment stands, in lines for people."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_lines
short_description: Where a deployment stands, in lines for people
version_added: 0.2.0
author: EasyMO (@easymo)
description:
  - Puts together what three modules that only read have returned.
  - The first line is the verdict with where and why, V(FINE), V(RUNNING), V(INTERRUPTED), V(ON HOLD), V(FAILED),
    V(KILLED), V(ROLLED BACK), V(NOT FINISHED) or V(NO RELEASE).
positional: record, rollouts, services, plan, killed
options:
  _input:
    description: What M(easymo.deploy.deploy_lock_info) returned.
    type: dict
    required: true
  record:
    description: What M(easymo.deploy.release_info) returned.
    type: dict
    required: true
  rollouts:
    description: What M(easymo.deploy.rollout_info) returned.
    type: dict
    required: true
  services:
    description: Names of the Deployments to tell of, in this order.
    type: list
    elements: str
    required: true
  plan:
    description: Names of the phases in their order.
    type: list
    elements: str
    default: []
  killed:
    description: Who set the kill switch and why, empty while it is not set.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Tell where the deployment stands
  ansible.builtin.debug:
    msg: "{{ lock | easymo.deploy.status_lines(release, rollouts, groups.microservices) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t

from ..module_utils._release.verdict import in_order, verdict

Fields = t.Mapping[str, t.Any]


def status_lines(
    lock: Fields,
    record: Fields,
    rollouts: Fields,
    services: t.Sequence[str],
    plan: t.Sequence[str] = (),
    killed: str = "",
) -> list[str]:
    known = {one["name"]: one for one in rollouts["deployments"]}
    width = max(map(len, services), default=0)
    word, where = verdict(record["record"], lock["lock"], killed, plan)
    return [
        f"{word}: {where}",
        lock["sentence"],
        *_release(record["record"], plan),
        *(f"  {name:{width}}  {_service(known.get(name))}" for name in services),
    ]


def _release(record: Fields, plan: t.Sequence[str]) -> t.Iterator[str]:
    if not record:
        return
    finished = f", ended {record['finished']}" if record["finished"] else ""
    yield (
        f"Release {record['version']} is {record['status'].replace('_', ' ')}: attempt {record['attempt']} "
        f"by {record['actor']}, begun {record['started']}{finished}."
    )
    for name, phase in in_order(record, plan):
        moment = f"since {phase['started']}"
        if phase["finished"]:
            moment = f"at {phase['finished']}"
        yield f"  {name:15} {phase['status'].replace('_', ' ')} {moment}"


def _service(deployment: Fields | None) -> str:
    if deployment is None:
        return "is missing"
    tags = ", ".join(image.rpartition("/")[2] for image in deployment["images"].values())
    replicas = deployment["replicas"]
    state = "paused" if deployment["paused"] else "" if deployment["complete"] else "rolling out"
    going = f"{replicas['terminating']} old ones ending" if replicas["terminating"] else ""
    more = "".join(f", {one}" for one in (state, going) if one)
    return f"{tags}  {replicas['available']}/{replicas['desired']} available{more}"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_lines": status_lines}
