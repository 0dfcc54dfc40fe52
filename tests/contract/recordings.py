"""golden/kubernetes-*.jsonl: conversations with a real API server, and what of an answer can be compared."""

import json
import re
import typing as t
from pathlib import Path

from sandbox.kubernetes.history import Record
from sandbox.kubernetes.requests import parse_path
from sandbox.kubernetes.resources import STORED
from sandbox.kubernetes.store import Store

GOLDEN = Path(__file__).parent / "golden"
CONVERSATIONS = ("create", "patches", "rollouts", "scale", "configmap", "lease", "delete")
# Chosen by a server anew each time, or told by its clock.
VARYING = ("uid", "resourceVersion", "creationTimestamp", "time", "continue")
AGE = re.compile(r"^(\d+[smhd])+$")
KUBECTL = "kubectl/v1.37.1 (linux/amd64)"

Exchange = dict[str, t.Any]


class Server(t.Protocol):
    """Something that answers like an API server, and the objects that it has."""

    store: Store

    def ask(self, request: Exchange) -> tuple[int, str]:
        """The status and the body of what it answers to a recorded request."""


def exchanges(name: str) -> list[Exchange]:
    lines = (GOLDEN / f"kubernetes-{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def put(store: Store, obj: dict[str, t.Any]) -> None:
    """Store an object exactly as it was recorded, with its generation and managedFields."""
    kind = next(item for item in STORED.values() if item.kind == obj["kind"])
    metadata = obj["metadata"]
    key = (metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])
    version = int(metadata["resourceVersion"])
    store._version = max(store._version, version)
    store._objects[kind.plural][key] = Record(obj, version)


def normalised(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: normalised(item) for key, item in value.items() if key not in VARYING}
    if isinstance(value, list):
        return [normalised(item) for item in value]
    return "AGE" if isinstance(value, str) and AGE.match(value) else value


def in_order_of_name(answer: t.Any) -> t.Any:
    """managedFields of one second are ordered by manager; the recording's seconds differ from ours."""
    entries = answer.get("metadata", {}).get("managedFields") if isinstance(answer, dict) else None
    if entries:
        entries.sort(
            key=lambda entry: (entry["manager"], entry["operation"], entry.get("subresource", ""))
        )
    return answer


def found_object(exchange: Exchange) -> dict[str, t.Any] | None:
    """What a recorded GET found, when it was one object."""
    request, response = exchange["request"], exchange["response"]
    target = parse_path(request["path"].partition("?")[0])
    whole = target is not None and target.name and not target.subresource
    if request["method"] == "GET" and response["status"] == 200 and whole:
        return response["body"]
    return None
