"""Phase 3, the edge functions: what runs is saved, then all are activated and called. And their way back."""

import tempfile
import typing as t
from pathlib import Path

from ..functions import CHECKOUT, CONNECTION, FUNCTIONS_URL, by_hand
from ..platform import CLUSTER
from ..tasks import Result
from .script import Script, StopError


def edge_functions(script: Script) -> None:
    phase = "edge_functions"
    script.begin(phase)
    deployed: Result = {}
    try:
        where = "edge_functions/main"
        about = "Read the release's facts about the functions"
        facts = _facts(script.require(script.task(where, about, name=script.version)))
        ready = _stage(script, facts)
        deployed = _deploy(script, ready)
        _verify(script, script.require(deployed), ready)
    except StopError as exc:
        script.failed(phase, exc.result)
        if deployed.get("activated"):
            restore(script)
        raise
    script.close(phase, changed=deployed["changed"])


def _facts(record: Result) -> dict[str, t.Any]:
    facts = (record.get("record") or {}).get("facts") or {}
    return t.cast("dict[str, t.Any]", facts.get("edge_functions") or {})


def _wanted(script: Script) -> dict[str, t.Any]:
    return {
        "directory": str(CHECKOUT / "supabase" / "functions"),
        "names": [*script.world.plan.functions],
        "verify_jwt": False,
        "verify_jwt_by_name": {},
        "required_secrets": [],
        "prune": False,
        "force": [],
        "module_defaults": CONNECTION,
    }


def _known(result: Result) -> Result:
    return {"known": result["known"]}


def _guarded(script: Script) -> dict[str, t.Any]:
    return {"fence": script.epoch, "kubernetes": CLUSTER}


def _stage(script: Script, facts: dict[str, t.Any]) -> Result:
    before = facts.get("saved") or {}
    with tempfile.TemporaryDirectory(suffix=".functions") as folder:
        file = str(Path(folder) / "functions.json")
        if before.get("attachment"):
            script.require(
                script.task(
                    "edge_functions/stage",
                    "Read what an earlier run of this attempt saved",
                    name=script.version,
                    fetch={before["attachment"]: file},
                )
            )
        ready = script.require(
            script.task(
                "edge_functions/stage",
                "Bundle every function and save what runs, without activating anything",
                known=facts.get("known") or {},
                release=script.version,
                archive=file,
                archive_key=None,
                archive_sha256=before.get("sha256"),
                **_wanted(script),
            )
        )
        told = {"known": ready["known"]}
        saved = ready.get("saved") or {}
        if saved.get("sha256", "") not in ("", before.get("sha256", "")):
            told["saved"] = _attach(script, saved, file)
    if told != {"known": facts.get("known") or {}}:
        _record(script, "edge_functions/stage", "Record what runs, and what will run", told)
    return ready


def _attach(script: Script, saved: Result, file: str) -> Result:
    attachment = f"functions-{saved['sha256'][:8]}"
    script.require(
        script.task(
            "edge_functions/stage",
            "Attach what runs to the release record",
            name=script.version,
            attach={attachment: file},
            fence=script.epoch,
        )
    )
    return {"attachment": attachment, **{one: saved[one] for one in ("bucket", "key", "sha256")}}


def _record(script: Script, where: str, name: str, told: Result) -> None:
    script.require(
        script.task(
            where, name, name=script.version, facts={"edge_functions": told}, fence=script.epoch
        )
    )


def _deploy(script: Script, ready: Result) -> Result:
    return script.task(
        "edge_functions/deploy",
        "Activate every function with one call",
        known=ready["known"],
        staged=ready["staged"],
        **_guarded(script),
        **_wanted(script),
    )


def _verify(script: Script, deployed: Result, ready: Result) -> None:
    if deployed["known"] != ready["known"]:
        _record(script, "edge_functions/deploy", "Record the functions", _known(deployed))
    script.require(
        script.task(
            "edge_functions/verify",
            "Call every function",
            functions={
                "functions_url": FUNCTIONS_URL,
                "names": [*script.world.plan.functions],
                "version": script.version,
            },
        )
    )


def restore(script: Script) -> None:
    where = "edge_functions/restore"
    record = script.require(
        script.task(where, "Read the saved functions of the release", name=script.version)
    )
    facts = _facts(record)
    if "saved" not in facts and "functions" not in record["attachments"]:
        return
    before = facts.get("saved") or {"attachment": "functions"}
    with tempfile.TemporaryDirectory(suffix=".functions") as folder:
        file = str(Path(folder) / "functions.json")
        script.require(
            script.task(
                where,
                "Read the previous sources from the release record",
                name=script.version,
                fetch={before["attachment"]: file},
            )
        )
        restored = script.require(
            script.task(
                where,
                "Deploy the previous sources with their previous settings",
                archive=file,
                archive_key=None,
                archive_sha256=before.get("sha256"),
                known=facts.get("known") or {},
                force=[],
                **_guarded(script),
                module_defaults=CONNECTION,
            )
        )
    if restored["changed"]:
        _record(script, where, "Record the functions", _known(restored))
    if restored["activated"]:
        script.require(
            script.task(
                where,
                "Call the restored functions",
                functions={
                    "functions_url": FUNCTIONS_URL,
                    "names": [
                        name
                        for name, each in (restored.get("functions") or {}).items()
                        if not each["verify_jwt"]
                    ],
                },
            )
        )


def supabase(script: Script) -> None:
    """Somebody with the Supabase CLI, who knows nothing of releases and their lock."""
    project, options = script.world.project, script.actor.options
    assert project is not None
    script.world.sleep(1.0)
    if options["does"] == "delete":
        status = project.delete(options["slug"])
    else:
        status = project.deploy(by_hand(options["slug"], script.actor.name))
    script.world.say(f"{script.actor.name}: supabase {options['does']} -> {status}")
