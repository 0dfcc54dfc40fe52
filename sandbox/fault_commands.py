# SPDX-License-Identifier: GPL-3.0-or-later
"""`fault list|set|clear`, checked against the faults of each component."""

from __future__ import annotations

import re
import time
import typing as t

from sandbox.component_graph import require_known
from sandbox.components import COMPONENTS
from sandbox.errors import SandboxError
from sandbox.faults import GENERIC_FAULTS, Fault, Faults, FaultsError, parameters_of
from sandbox.record import SUPERVISOR, Phase, records

if t.TYPE_CHECKING:
    from sandbox.record import Record
    from sandbox.world import World

# A component whose fault `killed` is cleared starts anew.
APPLIED_WITHIN = 60.0

_PHASE_UNDER = {"paused": Phase.PAUSED, "killed": Phase.KILLED}


def known_faults() -> dict[str, dict[str, str]]:
    """Component to fault to what it does."""
    return {
        component.name: {
            name: text
            for name, text in {**component.faults, **GENERIC_FAULTS}.items()
            if component.survives_kill or name != "killed"
        }
        for component in COMPONENTS
    }


def parse(name: str, words: t.Sequence[str]) -> Fault:
    """`COMPONENT.FAULT` and `[TARGET] [key=value…]`."""
    component, _, fault = name.partition(".")
    known = known_faults()
    require_known([component], known)
    if fault not in known[component]:
        raise SandboxError(
            f"The component {component!r} has no fault {fault!r}: "
            f"choose from {', '.join(known[component])}."
        )
    targets = [word for word in words if "=" not in word]
    if len(targets) > 1:
        raise SandboxError(
            f"A fault has one target, not {len(targets)} ({', '.join(targets)}): set it once for each."
        )
    pairs = (word.partition("=") for word in words if "=" in word)
    parameters = {key: value for key, _, value in pairs}
    _require_parameters(name, parameters, parameters_of(known[component][fault]))
    return Fault(component, fault, targets[0] if targets else "", parameters)


def _require_parameters(fault: str, given: t.Mapping[str, str], known: t.Mapping[str, str]) -> None:
    for name, value in given.items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise SandboxError(f"The fault {fault!r} has no parameter {name!r}: {takes}.")
        if known[name] == "true":
            fits, wanted = value in ("true", "false"), "true or false"
        else:
            fits, wanted = re.fullmatch(r"\d+(\.\d+)?", value) is not None, "a number"
        if not fits:
            raise SandboxError(f"{name}={value!r} of the fault {fault!r} is not {wanted}.")


def set_fault(world: World, fault: Fault) -> None:
    known = _known(world)
    require_known([fault.component], known)
    for name in (SUPERVISOR, fault.component):
        if name in known and known[name].phase is Phase.DEAD:
            raise SandboxError(
                f"The {name} is dead and obeys no fault: run 'python -m sandbox down', then 'up'."
            )
    with world.locked():
        faults = Faults(world.faults_file)
        others = [other for other in faults.read() if _key(other) != _key(fault)]
        faults.write([*others, fault])
    if fault.name in _PHASE_UNDER:
        _await(world, fault.component, {_PHASE_UNDER[fault.name]})


def clear_faults(world: World, name: str, target: str) -> str:
    """Clear what matches; what was done, in a sentence."""
    _known(world)
    component, _, fault_name = name.partition(".")
    with world.locked():
        faults = Faults(world.faults_file)
        kept: list[Fault] = []
        cleared: list[Fault] = []
        for fault in _readable(faults, clear_all=not name):
            same = (fault.component, fault.name) == (component, fault_name)
            matches = not name or (same and target in ("", fault.target))
            (cleared if matches else kept).append(fault)
        faults.write(kept)
    if name and not cleared:
        raise SandboxError(f"The fault {name} {target}".rstrip() + " is not set: see 'fault list'.")
    for fault in cleared:
        if fault.name in _PHASE_UNDER:
            _await(world, fault.component, {Phase.READY, Phase.DEAD})
    return f"{len(cleared)} {'fault' if len(cleared) == 1 else 'faults'} cleared."


def listing(world: World) -> str:
    lines = [
        f"{f'{component}.{name}':<32} {text}"
        for component, faults in known_faults().items()
        for name, text in faults.items()
    ]
    now = Faults(world.faults_file).read()
    lines += ["", "Set now:" if now else "None is set now."]
    for fault in now:
        parameters = (f"{key}={value}" for key, value in fault.parameters.items())
        words = [f"{fault.component}.{fault.name}", fault.target, *parameters]
        lines.append("  " + " ".join(word for word in words if word))
    return "\n".join(lines)


def _readable(faults: Faults, *, clear_all: bool) -> tuple[Fault, ...]:
    """The faults in the file; one that cannot be read holds nothing that clearing all would miss."""
    try:
        return faults.read()
    except FaultsError:
        if clear_all:
            return faults.all()
        raise


def _known(world: World) -> t.Mapping[str, Record]:
    known = records(world)
    if not known:
        raise SandboxError(
            f"No sandbox is up in {world.directory}: start one with 'python -m sandbox up'."
        )
    return known


def _key(fault: Fault) -> tuple[str, str, str]:
    return fault.component, fault.name, fault.target


def _await(world: World, component: str, phases: set[Phase]) -> None:
    """Wait until the supervisor has applied the fault, so that the next command sees its effect."""
    deadline = time.monotonic() + APPLIED_WITHIN
    while (now := records(world)[component].phase) not in phases:
        if time.monotonic() > deadline:
            raise SandboxError(
                f"The supervisor has not applied the fault within {APPLIED_WITHIN:.0f} s, and {component} is "
                f"still {now.value}: see 'python -m sandbox status'."
            )
        time.sleep(0.03)
