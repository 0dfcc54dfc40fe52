"""The admission policies of manifests/, as an API server evaluates them.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import functools
import typing as t
from pathlib import Path

import celpy
import yaml

POLICIES = Path(__file__).parents[1] / "manifests" / "admission"
Object = t.Mapping[str, t.Any]


@functools.cache
def policies() -> dict[str, t.Any]:
    """Their specs, by name."""
    files = (POLICIES / f"{name}.yaml" for name in ("fence", "locked"))
    bodies = [yaml.safe_load(file.read_text("utf-8")) for file in files]
    return {body["metadata"]["name"]: body["spec"] for body in bodies}


def denied(
    request: Object,
    before: Object | None,
    after: Object | None,
    lock: Object | None = None,
    may: t.Callable[[str, str], bool] = lambda _verb, _name: True,
) -> list[str]:
    """What the policies say against it. `may`: a verb on ConfigMaps, of one name or, without it, of all."""
    request = {"subResource": "", "options": {}, "namespace": "easymo-prod", **request}
    request = {"userInfo": {"username": "jane"}, **request}
    names = {"request": request, "oldObject": before, "object": after, "params": lock}
    return [text for spec in policies().values() for text in _denied_by(spec, names, may)]


def _denied_by(
    spec: t.Any, names: t.Mapping[str, t.Any], may: t.Callable[[str, str], bool]
) -> t.Iterator[str]:
    if not _is_for(spec, names["request"]) or ("paramKind" in spec and names["params"] is None):
        return
    known = {name: celpy.json_to_cel(value) for name, value in names.items()}
    known["authorizer"] = celpy.json_to_cel({"verb": "", "name": ""})

    def evaluate(expression: str) -> t.Any:
        return _program(expression, may).evaluate({**known, "variables": variables})

    variables = celpy.celtypes.MapType({})
    if not all(evaluate(one["expression"]) for one in spec.get("matchConditions", ())):
        return
    for one in spec["variables"]:
        variables[celpy.celtypes.StringType(one["name"])] = evaluate(one["expression"])
    for one in spec["validations"]:
        if not evaluate(one["expression"]):
            yield one.get("message") or str(evaluate(one["messageExpression"]))


def _is_for(spec: t.Any, request: t.Mapping[str, t.Any]) -> bool:
    resource, part = request["resource"]["resource"], request["subResource"]
    path = f"{resource}/{part}" if part else resource
    rules = spec["matchConstraints"]["resourceRules"]
    return any(path in r["resources"] and request["operation"] in r["operations"] for r in rules)


@functools.lru_cache(maxsize=256)
def _program(expression: str, may: t.Callable[[str, str], bool]) -> t.Any:
    def asked(receiver: t.Any, **more: str) -> t.Any:
        return celpy.json_to_cel({**{str(k): str(v) for k, v in receiver.items()}, **more})

    functions: dict[str, t.Callable[..., t.Any]] = {
        **dict.fromkeys(("group", "resource", "namespace"), lambda receiver, _value: receiver),
        "name": lambda receiver, value: asked(receiver, name=str(value)),
        "check": lambda receiver, value: asked(receiver, verb=str(value)),
        "allowed": lambda receiver: celpy.celtypes.BoolType(
            may(str(receiver["verb"]), str(receiver["name"]))
        ),
    }
    environment = celpy.Environment()
    return environment.program(environment.compile(expression), functions=functions)
