"""The admission policies of manifests/, compiled with types and evaluated as an API server does both.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import functools
import re
import typing as t
from pathlib import Path

import yaml
from cel_expr_python import cel

POLICIES = Path(__file__).parents[1] / "manifests" / "admission"
Object = t.Mapping[str, t.Any]
May = t.Callable[[str, str], bool]
"""Whether the account has a verb on ConfigMaps, of one name or, with "", of all."""


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
    may: May = lambda _verb, _name: True,
) -> list[str]:
    """What the policies say against it."""
    request = {"subResource": "", "options": {}, "namespace": "easymo-prod", **request}
    request = {"userInfo": {"username": "jane"}, **request}
    names = {"request": request, "oldObject": before, "object": after, "params": lock}
    return [
        text for name, spec in policies().items() for text in _denied_by(name, spec, names, may)
    ]


def _denied_by(name: str, spec: t.Any, names: dict[str, t.Any], may: May) -> t.Iterator[str]:
    if not _is_for(spec, names["request"]) or ("paramKind" in spec and names["params"] is None):
        return
    compiled, known = programs(name), {**names, "authorizer": {"verb": "", "name": ""}}
    _Asked.may = may

    def evaluate(expression: str) -> t.Any:
        result = compiled[expression].eval(data=known)
        assert result.type() != cel.Type.ERROR, f"{expression}: {result.value()}"
        return result.plain_value()

    if not all(evaluate(each["expression"]) for each in spec.get("matchConditions", ())):
        return
    for each in spec["variables"]:
        known[f"variables.{each['name']}"] = evaluate(each["expression"])
    for each in spec["validations"]:
        if not evaluate(each["expression"]):
            yield each.get("message") or str(evaluate(each["messageExpression"]))


def _is_for(spec: t.Any, request: t.Mapping[str, t.Any]) -> bool:
    resource, part = request["resource"]["resource"], request["subResource"]
    path = f"{resource}/{part}" if part else resource
    rules = spec["matchConstraints"]["resourceRules"]
    return any(path in r["resources"] and request["operation"] in r["operations"] for r in rules)


class _Asked:
    """What the functions of the authorizer look up, for one evaluation."""

    may: May


_AUTHORIZER = cel.Type.Map(cel.Type.STRING, cel.Type.STRING)
_STEPS: t.Mapping[str, t.Callable[[t.Any, str], t.Any]] = {
    **dict.fromkeys(("group", "resource", "namespace"), lambda receiver, _value: receiver),
    "name": lambda receiver, value: {**receiver, "name": value},
    "check": lambda receiver, value: {**receiver, "verb": value},
}


def _member(name: str, result: t.Any, *parameters: t.Any, impl: t.Any) -> t.Any:
    overload = cel.Overload(name, result, [_AUTHORIZER, *parameters], is_member=True, impl=impl)
    return cel.FunctionDecl(name, [overload])


_FUNCTIONS = [
    *(_member(name, _AUTHORIZER, cel.Type.STRING, impl=step) for name, step in _STEPS.items()),
    _member(
        "allowed",
        cel.Type.BOOL,
        impl=lambda receiver: _Asked.may(receiver["verb"], receiver["name"]),
    ),
]


@functools.cache
def programs(policy: str) -> dict[str, t.Any]:
    """The compiled expressions of a policy, by their text."""
    return compiled(policies()[policy])


def compiled(spec: t.Any) -> dict[str, t.Any]:
    """Raises ValueError for what an API server refuses: a wrong type anywhere, or a list of several types.

    A variable has the type of its expression. cel-go, which the API server uses, knows more of dyn than cel-cpp does:
    it refuses it beside another type in a list, and takes it from one branch of a condition for both.
    """
    types = dict.fromkeys(("request", "oldObject", "object", "params"), cel.Type.DYN)
    types["authorizer"] = _AUTHORIZER
    made: dict[str, t.Any] = {}

    def type_of(expression: str) -> t.Any:
        program = cel.NewEnv(variables=types, functions=_FUNCTIONS).compile(expression)
        made[expression] = program
        if branches := _CONDITION.fullmatch(_without_texts(expression)):
            kinds = [type_of(branch) for branch in branches.groups()]
            return cel.Type.DYN if cel.Type.DYN in kinds else program.return_type()
        return program.return_type()

    def compile_as(kind: t.Any, expression: str) -> t.Any:
        for elements in _LIST.findall(_without_texts(expression)):
            first, *others = (type_of(element) for element in elements.split(","))
            for other in others:
                if other != first:
                    refusal = f"expected type '{_word(first)}' but found '{_word(other)}'"
                    raise ValueError(f"{refusal}: {expression}")
        result = type_of(expression)
        if result != (kind or result):
            raise ValueError(
                f"expected type '{_word(kind)}' but found '{_word(result)}': {expression}"
            )
        return result

    for each in spec.get("matchConditions", ()):
        compile_as(cel.Type.BOOL, each["expression"])
    for each in spec.get("variables", ()):
        types[f"variables.{each['name']}"] = compile_as(None, each["expression"])
    for each in spec["validations"]:
        compile_as(cel.Type.BOOL, each["expression"])
        if "messageExpression" in each:
            compile_as(cel.Type.STRING, each["messageExpression"])
    return made


_LIST = re.compile(r"(?<![\w\])])\[([^\[\]]+)\]")
"""A list, and no index."""
_CONDITION = re.compile(r"[^?]+\?([^?:]+):([^?:]+)")


def _without_texts(expression: str) -> str:
    """With each text empty, which has the same type. None of ours has an escape."""
    return re.sub(r"'[^']*'", "''", expression)


def _word(kind: t.Any) -> str:
    return str(kind.name()).lower()
