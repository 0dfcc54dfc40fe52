"""Phase 3, the edge functions: what runs is saved, then all are activated and called. And their way back."""

from ..functions import CHECKOUT, CONNECTION, FUNCTIONS_URL, by_hand
from ..platform import CLUSTER
from ..tasks import Result
from .script import Script, StopError


def edge_functions(script: Script) -> None:
    phase = "edge_functions"
    script.begin(phase)
    deployed: Result = {}
    try:
        deployed = _deploy(script)
        _verify(script, script.require(deployed))
    except StopError as exc:
        if script.failed(phase, exc.result) and deployed.get("activated"):
            restore(script)
        raise
    script.close(phase, changed=deployed["changed"])


def _deploy(script: Script) -> Result:
    return script.task(
        "edge_functions/main",
        "Bundle every function, save what runs, and activate all with one call",
        names=[*script.world.plan.functions],
        verify_jwt=False,
        verify_jwt_by_name={},
        required_secrets=[],
        release=script.version,
        fence=script.epoch,
        kubernetes=CLUSTER,
        module_defaults={**CONNECTION, "directory": str(CHECKOUT / "supabase" / "functions")},
    )


def _verify(script: Script, deployed: Result) -> None:
    calls = {
        "functions_url": FUNCTIONS_URL,
        "names": [one for one in script.world.plan.functions if one not in deployed["disabled"]],
        "version": script.version,
    }
    script.do(
        "edge_functions/main",
        "Call every function, and check their version",
        checks=[{"name": "functions", "kind": "function_calls", "function_calls": calls}],
    )


def restore(script: Script) -> None:
    script.do(
        "edge_functions/restore",
        "Deploy the previous sources with their previous settings",
        force=[],
        release=script.version,
        fence=script.epoch,
        kubernetes=CLUSTER,
        module_defaults=CONNECTION,
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
