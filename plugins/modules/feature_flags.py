#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flags
short_description: Set feature flags in a ConfigMap, and prove which ones pods run
version_added: 0.1.0
description:
  - Sets keys of a ConfigMap that containers take their environment from, or mount. Keys that are not named stay as
    they are.
  - Written by server-side apply as C(easymo-deploy), bound to the version that was read, so two writers never undo
    each other unseen, and read back afterwards.
  - A flag that somebody else set, for example by C(kubectl apply), is changed too, for one that cannot be turned off
    because of who turned it on endangers production. It is never silent, RV(overruled) and a warning name that person.
    A later C(kubectl apply) of an older file sets its values again.
  - Values are checked before anything is touched. Text is kept as it is, but V(True) and V(False) as text are refused,
    because the platform reads V(true) and V(false) only.
  - Containers that take them from their environment do not see a change until they start again, so O(consumers) are
    restarted, once per RV(checksum). Those that take a ConfigMap volume's changes up while they run are waited for. In
    both cases every pod is asked what it runs, all at once. What a ConfigMap says is no proof.
  - Flags that do not reach every pod are restored, and so are the pods, before the task fails. Undoing a Deployment
    does not undo the ConfigMap, so an old pod that restarts tomorrow would read the new flags.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.flags_and_kubernetes
  - easymo.deploy._kubernetes
  - easymo.deploy._lock.fence
  - easymo.deploy._flags.probe
  - easymo.deploy._flags.consumers
  - easymo.deploy._libraries.jmespath
options:
  state:
    description:
      - V(set) sets O(flags).
      - V(restored) returns them, and what else O(release) has set, to what they were before it. What it brought is
        removed, and what others keep in the ConfigMap is not touched. Nothing happens when there was no ConfigMap.
      - V(proven) writes nothing and asks every pod of O(consumers) whether it runs with O(flags), once, or with
        O(delivery=volume) until all follow. Pods that are ending are left out. A container that does not run counts as
        a difference, and so does a pod that cannot be asked.
    type: str
    choices: [set, restored, proven]
    default: set
  flags:
    description:
      - Flags by name. Names are those of environment variables, in capitals.
      - A boolean, an integer or a text; null takes the flag out.
    type: dict
    required: true
  bounds:
    description: The least and the greatest integer that a flag may be, by name of the flag.
    type: dict
    default: {}
  choices:
    description: The values that a flag may have, a list by name of the flag.
    type: dict
    default: {}
  kill_switch:
    description:
      - What to do while the kill switch, which M(easymo.deploy.kill_switch) sets, is set, and a flag would turn on what
        it holds off. Decided in the same request that writes, so a switch that is set meanwhile counts.
      - V(refuse) writes nothing and tells who set it, when, why, and how it is reset.
      - V(leave_off) leaves those flags as they are, warns, and writes the others.
      - V(reset_automatic) lets go of the flags in O(flags) that a failed phase or a rollback holds off, and refuses for
        a switch that a person set. What else is held stays held. It refuses, too, for one that was set while the deploy
        lock was at O(fence) or later, for such a switch is meant for this very run.
    type: str
    choices: [refuse, leave_off, reset_automatic]
    default: refuse
  release:
    description:
      - The release that the flags belong to. Written on restarted Deployments. Its record has what O(state=restored)
        restores.
    type: str
seealso:
  - module: easymo.deploy.deploy_lock
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Turn the new checkout on for one percent of the users
  easymo.deploy.feature_flags:
    namespace: shop-prod
    consumers: [checkout]
    flags:
      FEATURE_CHECKOUT: true
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 1
    bounds:
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: [0, 100]
    choices:
      FEATURE_CHECKOUT: [true, false]

- name: Put flags back as they were, but nothing that the kill switch holds off
  easymo.deploy.feature_flags:
    namespace: shop-prod
    state: restored
    release: 2.0.0
    flags: {FEATURE_CHECKOUT: true}
    kill_switch: leave_off

- name: See that every pod was started with the new checkout on for one percent
  easymo.deploy.feature_flags:
    namespace: shop-prod
    state: proven
    consumers: [checkout]
    flags:
      FEATURE_CHECKOUT: true
      FEATURE_CHECKOUT_ROLLOUT_PERCENTAGE: 1
"""

RETURN = r"""
written:
  description: Whether the ConfigMap was changed, and not pods alone.
  returned: success, but for O(state=proven)
  type: bool
before:
  description: All keys of the ConfigMap before.
  returned: success, but for O(state=proven)
  type: dict
  sample: {FEATURE_CHECKOUT: "false"}
after:
  description: All keys of the ConfigMap after.
  returned: success, but for O(state=proven)
  type: dict
  sample: {FEATURE_CHECKOUT: "true"}
asked:
  description: The keys of O(flags), as they are written.
  returned: success, but for O(state=proven)
  type: dict
  sample: {FEATURE_CHECKOUT: "true"}
checksum:
  description: SHA-256 of all keys after, for O(easymo.deploy.rollout#module:checksum).
  returned: success, but for O(state=proven)
  type: str
  sample: 1ff1de774005f8da13f42943881c655f2f1ab1f1cb2a50a76c3c5b3f9c1f6b55
overruled:
  description: Field managers whose value was changed.
  returned: success, but for O(state=proven)
  type: list
  elements: str
  sample: [kubectl-client-side-apply]
left_off:
  description: Flags that the kill switch holds off and that were left as they are.
  returned: success, but for O(state=proven)
  type: list
  elements: str
consumers:
  description:
    - What became of each of O(consumers), with RV(ignore:restart) of a rollout, and RV(ignore:replaced), the pods that
      were ended for others in their places.
    - Each of its RV(ignore:pods) has what it runs of the expected flags as C(seen), null for one that it does not tell.
      C(problems) tells in words what differs, and C(at) how many seconds after the beginning of the look it was first
      seen so, the last of which is RV(ignore:reached_after).
    - In check mode without what pods run when the flags would change.
  returned: success
  type: dict
  sample:
    checkout:
      restart: {changed: true}
      pods: [{pod: checkout-6b664b4c8d-fq9zg, seen: {FEATURE_CHECKOUT: "true"}, problems: [], at: 1.31}]
kill_switch:
  description:
    - The switch after, with RV(ignore:set_at), RV(ignore:by) and RV(ignore:reason). Empty when it is not set.
  returned: success, but for O(state=proven), or when it forbids what was asked for
  type: dict
"""

import typing as t

from ..module_utils._cluster import Cluster, MonotonicClock
from ..module_utils._delivery import (
    FlagsDelivery,
    WrittenFlags,
    has_moved,
    lost_lock,
    retold,
    take_diffs,
)
from ..module_utils._errors import ConflictError, DeployError
from ..module_utils._flags.apply import LEAVE_OFF, KillSwitch, decide_flags, to_diff, wish_under
from ..module_utils._flags.plan import Changes, FlagsPlan
from ..module_utils._flags.values import to_values
from ..module_utils._kubernetes import cluster_for
from ..module_utils._kubernetes_client import KUBERNETES
from ..module_utils._lock.apply import lease_check_for
from ..module_utils._module import Module, Result, documented, execute
from ..module_utils._release.store import ReleaseStore
from ..module_utils._templates import JMESPATH

PHASE = "feature_flags"

module_spec = documented(
    DOCUMENTATION, needs=(KUBERNETES, JMESPATH), required_if=[("state", "restored", ["release"])]
)


class FlagsTask:
    def __init__(self, module: Module) -> None:
        self._module = module
        self._params = module.params
        self._cluster: Cluster = cluster_for(module)
        self._delivery = FlagsDelivery(module)

    def run(self) -> Result:
        params = self._params
        result: Result
        flags: Changes = to_values(params["flags"], params["bounds"], params["choices"])
        if params["state"] == "restored":
            flags = self._before_release(flags)
        elif params["state"] == "proven":
            done = self._delivery.prove(flags)
            diffs = take_diffs(done)
            result = {"changed": has_moved(done), "consumers": done}
            return {**result, "diff": diffs} if diffs else result
        plan = self._write(flags, params["kill_switch"])
        left_off = sorted({*flags} - {*plan.wish.flags})
        self._warn(plan, left_off)
        switch = KillSwitch.from_annotations(plan.annotations)
        result = {
            "changed": plan.changed,
            "written": plan.changed,
            "before": dict(plan.before.data),
            "after": dict(plan.after),
            "asked": dict(flags),
            "checksum": plan.checksum,
            "overruled": list(plan.overruled),
            "left_off": left_off,
            "kill_switch": switch.to_result() if switch else {},
        }
        try:
            result["consumers"] = self._delivery.bring(self._written(plan, flags))
        except DeployError as exc:
            raise self._put_back(plan, flags, exc) from exc
        result["changed"] |= has_moved(result["consumers"])
        if self._module._diff:
            diffs = [to_diff(plan), *take_diffs(result["consumers"])]
            result["diff"] = diffs if len(diffs) > 1 else diffs[0]
        return result

    def _write(self, flags: Changes, rule: str) -> FlagsPlan:
        params = self._params
        return decide_flags(
            self._cluster,
            params["name"],
            lambda observed: wish_under(rule, observed, flags, fence=params["fence"]),
            check_mode=self._module.check_mode,
            guard=lease_check_for(
                self._cluster, params["fence"], clock=MonotonicClock(), name=params["lock"]
            ),
        )

    def _written(self, plan: FlagsPlan, flags: Changes) -> WrittenFlags:
        return WrittenFlags(flags, plan.checksum, plan.changed, fence=self._params["fence"])

    def _warn(self, plan: FlagsPlan, left_off: t.Sequence[str]) -> None:
        # What only the first manifest set is no person's decision.
        if plan.overruled and plan.before.owned:
            self._module.warn(
                f"Flags in ConfigMap {self._params['name']!r} that {', '.join(plan.overruled)} set "
                f"{'would be' if self._module.check_mode else 'were'} changed."
            )
        if left_off:
            self._module.warn(f"The kill switch holds {', '.join(left_off)} off, so it stays off.")

    def _put_back(self, plan: FlagsPlan, flags: Changes, cause: DeployError) -> DeployError:
        """The first cause, and what became of the flags. A lock that was lost meanwhile is told as the reason."""
        if self._module.check_mode or dict(plan.before.data) == dict(plan.after):
            return cause
        try:
            # New flags are removed.
            back = self._write({name: plan.before.data.get(name) for name in flags}, LEAVE_OFF)
            strays = self._delivery.bring_back(self._written(back, back.wish.flags))
        except DeployError as exc:
            if lost_lock(exc):
                return retold(exc, f"{exc} It did not restore the previous flags. {cause}")
            return retold(cause, f"{cause} The previous flags could not be restored: {exc}")
        but = f" But not every pod was seen to run them: {strays}" if strays else ""
        return retold(cause, f"{cause} The previous flags were restored.{but}")

    def _before_release(self, flags: Changes) -> Changes:
        """Those of the release alone: others may have changed the rest of the ConfigMap since."""
        record = self._store.read()
        pinned = self._store.pins.of(record.attempt if record else 1).config_maps
        before = pinned.get(self._params["name"])
        if before is None:
            raise ConflictError(
                f"Nothing is pinned of ConfigMap {self._params['name']!r} for release {self._params['release']!r}, so "
                "what its flags were before is not known."
            )
        set_by_release = record.evidence(PHASE).flags if record else None
        written = set_by_release.requested if set_by_release else {}
        if not before["exists"]:
            return {}
        return {name: before["data"].get(name) for name in {**flags, **written}}

    @property
    def _store(self) -> ReleaseStore:
        return ReleaseStore(self._cluster, self._params["release"], clock=MonotonicClock())


def run(module: Module) -> Result:
    return FlagsTask(module).run()


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
