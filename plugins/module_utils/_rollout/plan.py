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
from .._decode import restored
from .._errors import ConflictError, InputError, VerificationError
from .._lock.models import epoch_in, refuse_later
from .changes import Taken, taken_away
from .follow import ProbePatience, patience_of
from .models import Deployment, PodTemplate, images_of, is_same_image, without_digest


@dataclass(frozen=True)
class RolloutRequest:
    """The rollout that the task's options request."""

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
    """Seconds to watch the finished rollout. A release is also watched as long as its probes ask for, with
    None for that alone, and 0 for no soak at all.
    """
    wait_timeout: float = 300.0
    undo_on_failure: bool = True
    log_line: str = ""
    quorum: str = "nodes"
    stall_timeout: float | None = None
    """Seconds without net progress; None for the Deployment's own progressDeadlineSeconds."""
    wait_for_old: bool = False
    provisional: bool = False
    """Whether it begins while services of earlier waves soak, with which it may have to go back."""

    def patience(self, template: Object) -> ProbePatience:
        """Only new images have to prove that they live."""
        return (
            patience_of(template, self.container)
            if self.state == "released" and self.soak != 0
            else ProbePatience()
        )

    def longest_soak(self, template: Object) -> float:
        """In seconds."""
        return max(self.soak or 0.0, self.patience(template).killed)


@dataclass(frozen=True)
class Pin:
    """A Deployment as it was before a release. An undo returns to it."""

    uid: str
    template: Object
    annotations: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, deployment: Deployment) -> Pin:
        return cls(uid=deployment.uid, template=deployment.template, annotations=_own(deployment))

    @classmethod
    def from_json(cls, body: Object) -> Pin:
        """Raises VerificationError for one that is damaged."""
        try:
            pin = restored(cls, body, "pin")
            restored(PodTemplate, pin.template, "template")
        except ValueError as exc:
            raise VerificationError(
                f"A pin of the release cannot be read ({exc}): restore the ConfigMap of its pins, or begin "
                "a new release."
            ) from exc
        return pin


@dataclass(frozen=True)
class RolloutPlan:
    """The patch to send; empty when the Deployment is already as wanted.

    `takes`: fields that a rollback changes and the release did not write. `fences`: the patch writes only the fence;
    `refusal` is then raised, if set. `releases`: the patch sets the requested image, as no undo does.
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
        """Whether the patch changes pods or the annotations that describe them."""
        return self.writes and not self.fences

    def to_diff(self) -> dict[str, t.Any]:
        before = _face(self.before.template, self.before.annotations)
        after = _face(self.template, self.annotations)
        if self.takes:
            before["taken_away"] = {change.field: change.now for change in self.takes}
            after["taken_away"] = {change.field: change.then for change in self.takes}
        return {"before": before, "after": after}


def rollout_id(release: str, uid: str, image: str) -> str:
    """Names one release of one image on one Deployment.

    Any later run can compute it again, so a rerun after a crash recognizes its own patch. An image that another
    writer set has another id, unless it only adds the digest of the tag.
    """
    return hashlib.sha256("\n".join((release, uid, image)).encode()).hexdigest()[:16]


def plan_rollout(deployment: Deployment, wanted: RolloutRequest, pin: Pin | None) -> RolloutPlan:
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
        rollout_id(release, deployment.uid, spelling) in written
        for image in deployment.images.values()
        for spelling in (image, without_digest(image))
    )


def may_run_release(deployment: Deployment, release: str) -> bool:
    """Whether this release wrote an image last, be it changed by webhooks: a run can be killed before it notes that."""
    owned = bool(deployment.owned_images)
    return owned and deployment.annotations.get(RELEASE_ANNOTATION) == release


def is_own_write(before: Deployment, current: Deployment, wanted: RolloutRequest) -> bool:
    """Whether a release that got no answer was written since `before`, and no other hand has changed it."""
    wanted_id = _asked_id(current, wanted)
    return (
        before.annotations.get(ROLLOUT_ID_ANNOTATION) != wanted_id
        and current.annotations.get(ROLLOUT_ID_ANNOTATION) == wanted_id
        and wanted.container in current.owned_images
    )


def plan_admitted(released: Deployment, wanted: RolloutRequest) -> tuple[Operation, ...]:
    """The note that makes an image recognizable as ours after webhooks changed it; empty when they did not.

    Controllers write the Deployment meanwhile, so its generation is not tested.
    """
    admitted_image = released.images[wanted.container]
    if is_same_image(admitted_image, wanted.image):
        return ()
    admitted = {ADMITTED_ANNOTATION: rollout_id(wanted.release, released.uid, admitted_image)}
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


def plan_soaked(deployment: Deployment, wanted: RolloutRequest) -> tuple[Operation, ...]:
    """The note that the current template passed its soak. Applies only while no other run has written it."""
    if SOAK_ANNOTATION not in deployment.annotations:
        return ()
    at = "/metadata/annotations"
    return (
        *_tests(deployment, wanted),
        *set_annotations(at, deployment.annotations, _fence(wanted)),
        {"op": "remove", "path": f"{at}/{escape(SOAK_ANNOTATION)}"},
    )


def is_ours(deployment: Deployment, wanted: RolloutRequest, pin: Pin) -> bool:
    """Whether this release wrote the current template, so that an undo overwrites no other change."""
    if wanted.release and runs_release(deployment, wanted.release):
        return True
    return is_as_pinned(deployment, pin)


def is_as_pinned(deployment: Deployment, pin: Pin) -> bool:
    """Whether the template equals the pinned one, apart from a restart's annotations."""
    return _without_own(_as_asked(deployment.template, pin)) == _without_own(pin.template)


def _plan_release(deployment: Deployment, wanted: RolloutRequest) -> RolloutPlan:
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
    release_id, what = _asked_id(deployment, wanted), f"{wanted.container} {wanted.image}"
    annotations = {
        RELEASE_ANNOTATION: wanted.release,
        ROLLOUT_ID_ANNOTATION: release_id,
        ACTOR_ANNOTATION: wanted.actor,
        CHANGE_CAUSE_ANNOTATION: f"release {wanted.release}: {what}" if wanted.release else what,
        **_fence(wanted),
    }
    if wanted.environment:
        annotations[ENVIRONMENT_ANNOTATION] = ",".join(sorted(wanted.environment))
    if wanted.longest_soak(template) or wanted.provisional:
        annotations[SOAK_ANNOTATION] = release_id
    release = _planned(
        deployment,
        wanted,
        annotations,
        operation("replace", f"{path}/image", wanted.image),
        *adds,
        template=template,
    )
    return replace(release, releases=True)


def _with_environment(variables: t.Sequence[Object], wanted: t.Mapping[str, str]) -> list[Object]:
    """In their order, the new ones last: one may be made of those before it."""
    known = [variable["name"] for variable in variables]
    return [
        {"name": variable["name"], "value": wanted[variable["name"]]}
        if variable["name"] in wanted
        else variable
        for variable in variables
    ] + [{"name": name, "value": value} for name, value in wanted.items() if name not in known]


def _stands(deployment: Deployment, wanted: RolloutRequest) -> bool:
    """Whether the image and the variables that are asked for are set, whatever webhooks have made of the image."""
    current = deployment.images[wanted.container]
    index = list(deployment.images).index(wanted.container)
    variables = deployment.template["spec"]["containers"][index].get("env") or []
    if _with_environment(variables, wanted.environment) != variables:
        return False
    return is_same_image(current, wanted.image) or (
        deployment.annotations.get(ROLLOUT_ID_ANNOTATION) == _asked_id(deployment, wanted)
        and deployment.annotations.get(ADMITTED_ANNOTATION)
        == rollout_id(wanted.release, deployment.uid, current)
    )


def _plan_restart(deployment: Deployment, wanted: RolloutRequest) -> RolloutPlan:
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
    marks = set_annotations("/spec/template/metadata/annotations", present, mark)
    return _planned(deployment, wanted, annotations, *marks, template=template)


def _planned(
    deployment: Deployment,
    wanted: RolloutRequest,
    annotations: t.Mapping[str, str],
    *operations: Operation,
    template: Object,
) -> RolloutPlan:
    """These operations and annotations, on what was seen alone."""
    return RolloutPlan(
        before=deployment,
        operations=(
            *_tests(deployment, wanted),
            *operations,
            *set_annotations("/metadata/annotations", deployment.annotations, annotations),
        ),
        template=template,
        annotations={**deployment.annotations, **annotations},
    )


def _plan_way_back(deployment: Deployment, wanted: RolloutRequest, pin: Pin | None) -> RolloutPlan:
    """plan_return, with the fence also on a template of another writer: an earlier holder may still write it."""
    try:
        return plan_return(deployment, wanted, pin)
    except ConflictError as exc:
        plan = _plan_fence(deployment, wanted)
        if not plan.writes:
            raise
        return replace(plan, refusal=ConflictError(str(exc), **exc.details, fenced=True))


def plan_return(
    deployment: Deployment, wanted: RolloutRequest, pin: Pin | None, *, ours: bool = False
) -> RolloutPlan:
    """Return to the pinned template. Replicas and foreign annotations stay.

    A template that is already the pinned one gets the fence: a run that lost the lock unnoticed cannot release over
    it. `ours`: the caller knows that this run wrote the current template.
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
            # Returned or never rolled, then changed by another writer: nothing here is ours.
            return _plan_fence(deployment, wanted)
        raise superseded(deployment, wanted)
    foreign = {k: v for k, v in deployment.annotations.items() if k not in OWN_ANNOTATIONS}
    annotations = {**pin.annotations, **_fence(wanted)}
    return RolloutPlan(
        before=deployment,
        operations=(
            *_tests(deployment, wanted),
            operation("replace", "/spec/template", pin.template),
            *_return_annotations(deployment.annotations, annotations),
        ),
        template=pin.template,
        annotations={**foreign, **annotations},
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
    """The template with the pin's images where the two differ only by an added digest."""
    pinned, present = images_of(pin.template), images_of(template)
    same = {
        name for name in present if name in pinned and is_same_image(present[name], pinned[name])
    }
    containers = [
        {**container, "image": pinned[container["name"]]}
        if container["name"] in same
        else container
        for container in template["spec"]["containers"]
    ]
    return {**template, "spec": {**template["spec"], "containers": containers}}


def superseded(deployment: Deployment, wanted: RolloutRequest) -> ConflictError:
    """Another writer's template is never overwritten and never undone."""
    image = deployment.images.get(wanted.container, "")
    return ConflictError(
        f"Deployment {deployment.name!r} was changed by somebody else, to {image!r}, so it was left "
        "alone: find out who changed it before trying again.",
        result="superseded",
    )


def _own(deployment: Deployment) -> dict[str, str]:
    return {k: v for k, v in deployment.annotations.items() if k in OWN_ANNOTATIONS}


def released_container(deployment: Deployment, container: str) -> str:
    """The only one stands for the one that has the Deployment's name, where none has."""
    unnamed = container == deployment.name and container not in deployment.images
    return next(iter(deployment.images)) if unnamed and len(deployment.images) == 1 else container


def _check_container(deployment: Deployment, container: str) -> None:
    if container not in deployment.images:
        raise InputError(
            f"Deployment {deployment.name!r} has no container {container!r}: it has "
            f"{', '.join(map(repr, deployment.images))}. Set 'container' to one of them."
        )


def check_fence(deployment: Deployment, wanted: RolloutRequest) -> None:
    """Refuse a Deployment that a later lock's holder wrote, even while the lock is unreachable."""
    written = epoch_in(deployment.annotations)
    refuse_later(f"Deployment {deployment.name!r}", written, wanted.fence, result="lease_lost")


def _check_replicas(deployment: Deployment, wanted: RolloutRequest) -> None:
    """A release without pods proves nothing. Flags and a rollback must not depend on pods."""
    if deployment.counts.desired or wanted.allow_no_replicas or wanted.state != "released":
        return
    raise ConflictError(
        f"Deployment {deployment.name!r} has 0 replicas, so its pods cannot be checked: scale it "
        "up first, or set 'allow_no_replicas'.",
        result="blocked",
    )


def _plan_fence(deployment: Deployment, wanted: RolloutRequest) -> RolloutPlan:
    """The fence alone. Nothing restarts for it."""
    if epoch_in(deployment.annotations) >= wanted.fence:
        return unchanged(deployment)
    fence = _planned(deployment, wanted, _fence(wanted), template=deployment.template)
    return replace(fence, fences=True)


def _fence(wanted: RolloutRequest) -> dict[str, str]:
    return {FENCE_ANNOTATION: str(wanted.fence)} if wanted.fence else {}


def _asked_id(deployment: Deployment, wanted: RolloutRequest) -> str:
    return rollout_id(wanted.release, deployment.uid, wanted.image)


def unchanged(deployment: Deployment) -> RolloutPlan:
    """The plan that writes nothing."""
    return RolloutPlan(deployment, (), deployment.template, deployment.annotations)


def _tests(deployment: Deployment, wanted: RolloutRequest) -> tuple[Operation, ...]:
    # The generation moves with spec and annotations only: status writes cause no conflict.
    return (
        operation("test", "/metadata/generation", deployment.generation),
        *_image_tests(deployment, wanted),
    )


def _image_tests(deployment: Deployment, wanted: RolloutRequest) -> tuple[Operation, ...]:
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
