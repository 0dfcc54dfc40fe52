# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what one Deployment needs: nothing, or one JSON Patch that fits only what was seen."""

from __future__ import annotations

import copy
import hashlib
import typing as t
from dataclasses import dataclass, field, replace

from .._cluster import (
    ACTOR_ANNOTATION,
    ADMITTED_ANNOTATION,
    CHANGE_CAUSE_ANNOTATION,
    CHECKSUM_ANNOTATION,
    ENVIRONMENT_ANNOTATION,
    FENCE_ANNOTATION,
    OWN_ANNOTATIONS,
    RELEASE_ANNOTATION,
    RESTARTED_ANNOTATION,
    ROLLOUT_ID_ANNOTATION,
    SOAK_ANNOTATION,
    TEMPLATE_ANNOTATIONS,
    Object,
    Operation,
    escape,
    operation,
    set_annotations,
)
from .._errors import ConflictError, InputError
from .._lock.epoch import epoch_in, refuse_later
from .changes import Taken, taken_away
from .liveness import Patience, patience_of
from .models import Deployment, images_of, is_same_image, without_digest


@dataclass(frozen=True)
class Wanted:
    """What the task asked for."""

    state: str
    container: str
    image: str = ""
    environment: t.Mapping[str, str] = field(default_factory=dict)
    """Variables that the release gives the container, beside those that it has."""
    release: str = ""
    checksum: str = ""
    actor: str = ""
    at: str = ""
    """The time of the task, RFC 3339, for a restart that has no checksum."""
    fence: int = 0
    """The epoch of the deploy lock; 0 without one."""
    allow_no_replicas: bool = False
    soak: float | None = None
    """Seconds to watch the finished rollout. A release is also watched until its liveness probe has answered, with
    None for that alone, and 0 for no soak at all.
    """

    def patience(self, template: Object) -> Patience:
        """Only new images have to prove that they live."""
        return patience_of(template) if self.state == "released" and self.soak != 0 else Patience()

    def longest_soak(self, template: Object) -> float:
        """In seconds."""
        return max(self.soak or 0.0, self.patience(template).killed)


@dataclass(frozen=True)
class Pin:
    """What a Deployment was before a release: where an undo returns to."""

    uid: str
    template: Object
    annotations: t.Mapping[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> Pin:
        return cls(uid=deployment.uid, template=deployment.template, annotations=_own(deployment))

    @classmethod
    def from_json(cls, body: Object) -> Pin:
        return cls(
            uid=body["uid"], template=body["template"], annotations=body.get("annotations") or {}
        )


@dataclass(frozen=True)
class RolloutPlan:
    """The patch to send; empty when the Deployment is already as wanted.

    `takes`: what a way back takes from the template that the release did not write. `fences`: the patch writes the
    fence and nothing else, and `refusal` is what there is to say afterwards, if anything. `releases`: it sets the
    image that is wanted, which no undo does.
    """

    before: Deployment
    operations: tuple[Operation, ...]
    template: Object
    annotations: t.Mapping[str, str]
    takes: tuple[Taken, ...] = ()
    fences: bool = False
    refusal: ConflictError | None = None
    releases: bool = False

    @property
    def writes(self) -> bool:
        return bool(self.operations)

    @property
    def changed(self) -> bool:
        """Whether anything becomes different that runs, or that says what runs."""
        return self.writes and not self.fences

    def to_diff(self) -> dict[str, t.Any]:
        before = _face(self.before.template, self.before.annotations)
        after = _face(self.template, self.annotations)
        if self.takes:
            before["taken_away"] = {one.field: one.now for one in self.takes}
            after["taken_away"] = {one.field: one.then for one in self.takes}
        return {"before": before, "after": after}


def rollout_id(release: str, uid: str, image: str) -> str:
    """Names one release of one image on one Deployment.

    It can be computed again by whoever looks later, so a rerun after a crash finds its own work,
    and an image set by somebody else in between does not pass for ours, but for the digest of its tag.
    """
    return hashlib.sha256("\n".join((release, uid, image)).encode()).hexdigest()[:16]


def plan_rollout(deployment: Deployment, wanted: Wanted, pin: Pin | None) -> RolloutPlan:
    _check_container(deployment, wanted.container)
    if wanted.state == "released":
        plan = _plan_release(deployment, wanted)
    elif wanted.state == "restarted":
        plan = _plan_restart(deployment, wanted)
    else:
        plan = _plan_way_back(deployment, wanted, pin)
    if plan.changed and deployment.paused:
        raise ConflictError(
            f"Deployment {deployment.name!r} is paused, so nothing would roll: run "
            f"'{deployment.resume}' and try again.",
            result="paused",
        )
    if plan.changed:
        check_fence(deployment, wanted)
        _check_replicas(deployment, wanted)
    return plan


def runs_release(deployment: Deployment, release: str) -> bool:
    """Whether one of its images was set by this release and is still the same."""
    written = [
        deployment.annotations.get(key) for key in (ROLLOUT_ID_ANNOTATION, ADMITTED_ANNOTATION)
    ]
    return any(
        rollout_id(release, deployment.uid, asked) in written
        for image in deployment.images.values()
        for asked in (image, without_digest(image))
    )


def may_run_release(deployment: Deployment, release: str) -> bool:
    """Whether this release wrote an image last, be it changed by webhooks: a run can be killed before it notes that."""
    owned = bool(deployment.owned_images)
    return owned and deployment.annotations.get(RELEASE_ANNOTATION) == release


def is_own_write(before: Deployment, current: Deployment, wanted: Wanted) -> bool:
    """Whether a release that got no answer was written since `before`, and no other hand has changed it."""
    asked = _asked_id(current, wanted)
    return (
        before.annotations.get(ROLLOUT_ID_ANNOTATION) != asked
        and current.annotations.get(ROLLOUT_ID_ANNOTATION) == asked
        and wanted.container in current.owned_images
    )


def plan_admitted(released: Deployment, wanted: Wanted) -> tuple[Operation, ...]:
    """What to note of a release whose image webhooks have changed, so that it is known for ours; else nothing.

    Controllers write the Deployment meanwhile, so its generation is not tested.
    """
    found = released.images[wanted.container]
    if is_same_image(found, wanted.image):
        return ()
    admitted = {ADMITTED_ANNOTATION: rollout_id(wanted.release, released.uid, found)}
    at = "/metadata/annotations"
    return (
        *_image_tests(released, wanted),
        *(
            operation("test", f"{at}/{escape(key)}", released.annotations[key])
            for key in (ROLLOUT_ID_ANNOTATION, FENCE_ANNOTATION)
            if key in released.annotations
        ),
        *set_annotations(at, released.annotations, admitted),
    )


def plan_soaked(deployment: Deployment, wanted: Wanted) -> tuple[Operation, ...]:
    """That the soak of what stands there was seen through. Fits only while no other run has written it."""
    if SOAK_ANNOTATION not in deployment.annotations:
        return ()
    at = "/metadata/annotations"
    return (
        *_tests(deployment, wanted),
        *set_annotations(at, deployment.annotations, _fence(wanted)),
        {"op": "remove", "path": f"{at}/{escape(SOAK_ANNOTATION)}"},
    )


def is_ours(deployment: Deployment, wanted: Wanted, pin: Pin) -> bool:
    """Whether the current template was written by this release, so that undoing it harms nobody."""
    if wanted.release and runs_release(deployment, wanted.release):
        return True
    return is_as_pinned(deployment, pin)


def is_as_pinned(deployment: Deployment, pin: Pin) -> bool:
    """Whether its template is what was pinned, but for what a restart writes on it."""
    return _without_own(_as_asked(deployment.template, pin)) == _without_own(pin.template)


def _plan_release(deployment: Deployment, wanted: Wanted) -> RolloutPlan:
    if _stands(deployment, wanted):
        return unchanged(deployment)
    index = list(deployment.images).index(wanted.container)
    path = f"/spec/template/spec/containers/{index}"
    template = copy.deepcopy(deployment.template)
    container = template["spec"]["containers"][index]
    container["image"] = wanted.image
    variables = _with_environment(container.get("env") or [], wanted.environment)
    # The test of the generation covers what is replaced by it.
    adds = [operation("add", f"{path}/env", variables)] if wanted.environment else []
    container |= {"env": variables} if wanted.environment else {}
    identity = _identity(wanted, deployment)
    annotations = {
        **identity,
        CHANGE_CAUSE_ANNOTATION: _cause(wanted, f"{wanted.container} {wanted.image}"),
        **_fence(wanted),
    }
    if wanted.environment:
        annotations[ENVIRONMENT_ANNOTATION] = ",".join(sorted(wanted.environment))
    if wanted.longest_soak(template):
        annotations[SOAK_ANNOTATION] = identity[ROLLOUT_ID_ANNOTATION]
    return RolloutPlan(
        before=deployment,
        operations=(
            *_tests(deployment, wanted),
            operation("replace", f"{path}/image", wanted.image),
            *adds,
            *set_annotations("/metadata/annotations", deployment.annotations, annotations),
        ),
        template=template,
        annotations={**deployment.annotations, **annotations},
        releases=True,
    )


def _with_environment(variables: t.Sequence[Object], wanted: t.Mapping[str, str]) -> list[Object]:
    """In their order, the new ones last: one may be made of those before it."""
    known = [one["name"] for one in variables]
    return [
        {"name": one["name"], "value": wanted[one["name"]]} if one["name"] in wanted else one
        for one in variables
    ] + [{"name": name, "value": value} for name, value in wanted.items() if name not in known]


def _stands(deployment: Deployment, wanted: Wanted) -> bool:
    """Whether the image and the variables that are asked for are set, whatever webhooks have made of the image."""
    found = deployment.images[wanted.container]
    index = list(deployment.images).index(wanted.container)
    variables = deployment.template["spec"]["containers"][index].get("env") or []
    if _with_environment(variables, wanted.environment) != variables:
        return False
    return is_same_image(found, wanted.image) or (
        deployment.annotations.get(ROLLOUT_ID_ANNOTATION) == _asked_id(deployment, wanted)
        and deployment.annotations.get(ADMITTED_ANNOTATION)
        == rollout_id(wanted.release, deployment.uid, found)
    )


def _plan_restart(deployment: Deployment, wanted: Wanted) -> RolloutPlan:
    present = deployment.template["metadata"].get("annotations") or {}
    mark = (
        {CHECKSUM_ANNOTATION: wanted.checksum}
        if wanted.checksum
        else {RESTARTED_ANNOTATION: wanted.at}
    )
    if mark.items() <= present.items():
        return unchanged(deployment)
    template = copy.deepcopy(deployment.template)
    template["metadata"]["annotations"] = {**present, **mark}
    annotations = {ACTOR_ANNOTATION: wanted.actor, **_fence(wanted)}
    return RolloutPlan(
        before=deployment,
        operations=(
            *_tests(deployment, wanted),
            *set_annotations("/spec/template/metadata/annotations", present, mark),
            *set_annotations("/metadata/annotations", deployment.annotations, annotations),
        ),
        template=template,
        annotations={**deployment.annotations, **annotations},
    )


def _plan_way_back(deployment: Deployment, wanted: Wanted, pin: Pin | None) -> RolloutPlan:
    """plan_return, whose fence goes on what another hand changed, too: an earlier holder may be about to write it."""
    try:
        return plan_return(deployment, wanted, pin)
    except ConflictError as exc:
        plan = _plan_fence(deployment, wanted)
        if not plan.writes:
            raise
        return replace(plan, refusal=ConflictError(str(exc), **exc.details, fenced=True))


def plan_return(
    deployment: Deployment, wanted: Wanted, pin: Pin | None, *, ours: bool = False
) -> RolloutPlan:
    """Back to the pinned template, keeping replicas and everybody else's annotations.

    What stands there already gets the fence, so that a run which lost the lock and has not noticed yet cannot release
    over it. `ours`: the caller knows that this run wrote the current template.
    """
    if pin is None:
        raise InputError(
            f"Nothing is pinned for Deployment {deployment.name!r} in release {wanted.release!r}, "
            "so there is nothing exact to return to: check 'kubectl rollout history'.",
            result="failed_no_undo",
        )
    if pin.uid != deployment.uid:
        raise ConflictError(
            f"Deployment {deployment.name!r} was deleted and created again after it was pinned, "
            "so its pin is not used: apply its manifest instead.",
            result="superseded",
        )
    stands = _as_asked(deployment.template, pin)
    if stands == pin.template and _own(deployment) == pin.annotations:
        return _plan_fence(deployment, wanted)
    if not ours and not is_ours(deployment, wanted, pin):
        if _own(deployment) == pin.annotations and images_of(stands) == images_of(pin.template):
            # It went back, or was never rolled, and was changed since: nothing of it is ours.
            return _plan_fence(deployment, wanted)
        raise superseded(deployment, wanted)
    kept = {k: v for k, v in deployment.annotations.items() if k not in OWN_ANNOTATIONS}
    annotations = {**pin.annotations, **_fence(wanted)}
    return RolloutPlan(
        before=deployment,
        operations=(
            *_tests(deployment, wanted),
            operation("replace", "/spec/template", pin.template),
            *_return_annotations(deployment.annotations, annotations),
        ),
        template=pin.template,
        annotations={**kept, **annotations},
        takes=tuple(
            taken_away(
                deployment.template,
                pin.template,
                ours={wanted.container},
                variables=deployment.annotations.get(ENVIRONMENT_ANNOTATION, "").split(","),
            )
        ),
    )


def _as_asked(template: Object, pin: Pin) -> Object:
    """With the images of the pin where those differ by a digest that somebody has added."""
    asked, found = images_of(pin.template), images_of(template)
    same = {name for name in found if name in asked and is_same_image(found[name], asked[name])}
    containers = [
        {**one, "image": asked[one["name"]]} if one["name"] in same else one
        for one in template["spec"]["containers"]
    ]
    return {**template, "spec": {**template["spec"], "containers": containers}}


def superseded(deployment: Deployment, wanted: Wanted) -> ConflictError:
    """Somebody else's template is never overwritten and never undone."""
    image = deployment.images.get(wanted.container, "")
    return ConflictError(
        f"Deployment {deployment.name!r} was changed by somebody else, to {image!r}, so it was "
        "left "
        "alone: find out who changed it before trying again.",
        result="superseded",
    )


def _own(deployment: Deployment) -> dict[str, str]:
    return {k: v for k, v in deployment.annotations.items() if k in OWN_ANNOTATIONS}


def _check_container(deployment: Deployment, container: str) -> None:
    if container not in deployment.images:
        raise InputError(
            f"Deployment {deployment.name!r} has no container {container!r}: it has "
            f"{', '.join(map(repr, deployment.images))}. Set 'container' to one of them."
        )


def check_fence(deployment: Deployment, wanted: Wanted) -> None:
    """Refuse what was written under a later lock, also where the lock itself is out of sight."""
    written = epoch_in(deployment.annotations)
    refuse_later(f"Deployment {deployment.name!r}", written, wanted.fence, result="lease_lost")


def _check_replicas(deployment: Deployment, wanted: Wanted) -> None:
    """A release without pods proves nothing. Flags and a way back must not depend on pods."""
    if deployment.counts.desired or wanted.allow_no_replicas or wanted.state != "released":
        return
    raise ConflictError(
        f"Deployment {deployment.name!r} has 0 replicas, so its pods cannot be checked: scale it "
        "up first, or set 'allow_no_replicas'.",
        result="blocked",
    )


def _plan_fence(deployment: Deployment, wanted: Wanted) -> RolloutPlan:
    """The fence alone. Nothing restarts for it."""
    if epoch_in(deployment.annotations) >= wanted.fence:
        return unchanged(deployment)
    annotations = _fence(wanted)
    return replace(
        unchanged(deployment),
        operations=(
            *_tests(deployment, wanted),
            *set_annotations("/metadata/annotations", deployment.annotations, annotations),
        ),
        annotations={**deployment.annotations, **annotations},
        fences=True,
    )


def _fence(wanted: Wanted) -> dict[str, str]:
    return {FENCE_ANNOTATION: str(wanted.fence)} if wanted.fence else {}


def _asked_id(deployment: Deployment, wanted: Wanted) -> str:
    return rollout_id(wanted.release, deployment.uid, wanted.image)


def _identity(wanted: Wanted, deployment: Deployment) -> dict[str, str]:
    return {
        RELEASE_ANNOTATION: wanted.release,
        ROLLOUT_ID_ANNOTATION: _asked_id(deployment, wanted),
        ACTOR_ANNOTATION: wanted.actor,
    }


def _cause(wanted: Wanted, what: str) -> str:
    return f"release {wanted.release}: {what}" if wanted.release else what


def unchanged(deployment: Deployment) -> RolloutPlan:
    """The plan that writes nothing."""
    return RolloutPlan(
        before=deployment,
        operations=(),
        template=deployment.template,
        annotations=deployment.annotations,
    )


def _tests(deployment: Deployment, wanted: Wanted) -> tuple[Operation, ...]:
    # The generation moves with spec and annotations only: status writes cause no conflict.
    return (
        operation("test", "/metadata/generation", deployment.generation),
        *_image_tests(deployment, wanted),
    )


def _image_tests(deployment: Deployment, wanted: Wanted) -> tuple[Operation, ...]:
    index = list(deployment.images).index(wanted.container)
    path = f"/spec/template/spec/containers/{index}"
    return (
        operation("test", "/metadata/uid", deployment.uid),
        operation("test", f"{path}/name", wanted.container),
        operation("test", f"{path}/image", deployment.images[wanted.container]),
    )


def _return_annotations(
    present: t.Mapping[str, str], pinned: t.Mapping[str, str]
) -> tuple[Operation, ...]:
    path = "/metadata/annotations"
    own = (*OWN_ANNOTATIONS, SOAK_ANNOTATION)
    gone = [key for key in own if key in present and key not in pinned]
    return (
        *({"op": "remove", "path": f"{path}/{escape(key)}"} for key in gone),
        *(set_annotations(path, present, pinned) if pinned else ()),
    )


def _without_own(template: Object) -> Object:
    bare = copy.deepcopy(template)
    annotations = bare["metadata"].pop("annotations", None) or {}
    foreign = {k: v for k, v in annotations.items() if k not in TEMPLATE_ANNOTATIONS}
    return {**bare, "metadata": {**bare["metadata"], "annotations": foreign}}


def _face(template: Object, annotations: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The part of a Deployment that a rollout changes, for the diff."""
    marks = template["metadata"].get("annotations") or {}
    return {
        "images": images_of(template),
        "annotations": {
            k: v for k, v in annotations.items() if k in (*OWN_ANNOTATIONS, FENCE_ANNOTATION)
        },
        "template_annotations": {k: v for k, v in marks.items() if k in TEMPLATE_ANNOTATIONS},
    }
