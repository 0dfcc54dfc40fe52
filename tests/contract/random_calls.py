"""Calls of the Kubernetes API by chance, sensible ones and odd ones; the same seed makes the same."""

import random
import typing as t
from dataclasses import dataclass, field
from urllib.parse import quote

Object = dict[str, t.Any]

NAMESPACE = "easymo-prod"
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
APIS = {
    "configmaps": ("/api/v1", "ConfigMap"),
    "secrets": ("/api/v1", "Secret"),
    "pods": ("/api/v1", "Pod"),
    "services": ("/api/v1", "Service"),
    "serviceaccounts": ("/api/v1", "ServiceAccount"),
    "events": ("/api/v1", "Event"),
    "deployments": ("/apis/apps/v1", "Deployment"),
    "replicasets": ("/apis/apps/v1", "ReplicaSet"),
    "leases": ("/apis/coordination.k8s.io/v1", "Lease"),
    "poddisruptionbudgets": ("/apis/policy/v1", "PodDisruptionBudget"),
    "horizontalpodautoscalers": ("/apis/autoscaling/v2", "HorizontalPodAutoscaler"),
    "prometheusrules": ("/apis/monitoring.coreos.com/v1", "PrometheusRule"),
}
OFTEN = ("configmaps", "deployments", "deployments", "pods", "leases", *APIS)
NAMES = ("a", "a", "a", "b", "b", "web", "x.y-z")
ODD_NAMES = (
    "UPPER", "a b", "Ünï", "🙂", "-a", "a/b", "..", ".", "%41", "a%2Fb", "x" * 254, "a?b", "a#b",
    "a:b", "a+b", "a&b", "",
)  # fmt: skip
UID = "{uid}"
"""In a body: the uid of the object that is called upon, which each server chose for itself."""
ODD_VALUES: tuple[t.Any, ...] = (
    None, 0, -1, 2**63, 1.5, True, "", "text", "🙂 ünï\n\"'\\ \u2028", [], [None], {}, {"a": None}, "x" * 70_000,
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: t.Any = None
    content_type: str = JSON
    about: tuple[str, str] = ("", "")
    """Plural and name of the object, whose uid stands for UID."""

    def __str__(self) -> str:
        asked = "&".join(f"{name}={value}" for name, value in self.query)
        shown = "" if self.body is None else f" {self.content_type} {str(self.body)[:300]}"
        return f"{self.method} {self.path[:200]}?{asked}{shown}"


@dataclass
class Calls:
    """`version`: that of an object as it stands, or of the whole when it has no name; "" when there is none."""

    seed: int
    version: t.Callable[[str, str], str]
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def draw(self) -> Call:
        return self._one(
            (self._create,) * 5 + (self._read,) * 2 + (self._list,) * 2 + (self._patch,) * 5
            + (self._replace,) * 3 + (self._delete,) * 2 + (self._scale, self._status, self._evict, self._odd)
        )()  # fmt: skip

    def watch(self) -> Call:
        """One that is opened before other calls."""
        plural = self._plural()
        versions = self._one(
            ((), (("resourceVersion", "0"),), (("resourceVersion", self.version(plural, "")),))
        )
        good = ("app=a", "app in (a,b)", "app!=a", "!app", "app")
        more = self._perhaps_pairs((("labelSelector", self._one(good)),), 0.4)
        initial = (("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"))
        if not versions and self._perhaps(0.3):
            more = (*more, *initial)
        return Call("GET", self._path(plural), (("watch", "true"), *versions, *more))

    def watch_of_the_past(self) -> Call:
        """One that is opened after other calls, from some version, and ends by itself."""
        plural = self._plural()
        versions = ("1", "5", "17", self.version(plural, ""), "999999", "abc", "-1", "", "0", "1.5")
        pairs = [
            ("watch", self._one(("true", "1", "TRUE"))),
            ("resourceVersion", self._one(versions)),
        ]
        pairs.append(("timeoutSeconds", "1"))
        if self._perhaps(0.2):
            pairs.append(("sendInitialEvents", self._one(("true", "false"))))
        if self._perhaps(0.2):
            pairs.append(("resourceVersionMatch", self._one(("NotOlderThan", "Exact"))))
        return Call(
            "GET", self._path(plural), (*pairs, *self._perhaps_pairs(self._selectors(), 0.3))
        )

    # Each kind of call

    def _create(self) -> Call:
        plural, name = self._plural(), self._name()
        body = self._object(plural, name)
        odd = self._perhaps(0.2)
        if odd:
            self._spoil(body)
        return Call("POST", self._path(plural), self._writing(), body, JSON, (plural, name))

    def _read(self) -> Call:
        plural, name = self._plural(), self._name()
        query = self._perhaps_pairs((("resourceVersion", self._one(("0", "1", "x"))),), 0.2)
        return Call("GET", self._path(plural, name), query)

    def _list(self) -> Call:
        pairs = [*self._perhaps_pairs(self._selectors(), 0.6)]
        if self._perhaps(0.3):
            pairs.append(("limit", self._one(("1", "2", "0", "-1", "x", ""))))
        if self._perhaps(0.15):
            pairs.append(("continue", self._one(("", "x", "eyJ2IjoibWV0YSJ9", "🙂"))))
        if self._perhaps(0.15):
            pairs.append(("resourceVersion", self._one(("0", "1", "999999", "x"))))
        return Call("GET", self._path(self._plural()), tuple(pairs))

    def _patch(self) -> Call:
        plural, name = self._plural(), self._name()
        form = self._one(
            (MERGE, STRATEGIC, JSON_PATCH, JSON_PATCH, APPLY, APPLY, JSON, "text/yaml")
        )
        query = self._writing()
        if form == JSON_PATCH:
            body: t.Any = [self._operation(plural, name) for _n in range(self._dice.randint(1, 3))]
        elif form == APPLY:
            body = self._object(plural, name)
            query = (*query, ("force", self._one(("true", "false"))))
        else:
            body = self._change(plural, name)
        return Call("PATCH", self._path(plural, name), query, body, form, (plural, name))

    def _replace(self) -> Call:
        plural, name = self._plural(), self._name()
        body = self._object(plural, self._one((name, name, name, "b")))
        version = self._one((self.version(plural, name), self.version(plural, name), "1", "", "x"))
        if version:
            body["metadata"]["resourceVersion"] = version
        if self._perhaps(0.2):
            body["metadata"]["uid"] = self._one((UID, "another", ""))
        if self._perhaps(0.15):
            self._spoil(body)
        return Call("PUT", self._path(plural, name), self._writing(), body, JSON, (plural, name))

    def _delete(self) -> Call:
        plural, name = self._plural(), self._name()
        if self._perhaps(0.1):
            return Call("DELETE", self._path(plural), self._perhaps_pairs(self._selectors(), 0.9))
        options: Object = {}
        if self._perhaps(0.4):
            versions = (self.version(plural, name), "1")
            options["preconditions"] = self._one(
                ({"uid": UID}, {"uid": "another"}, *({"resourceVersion": one} for one in versions))
            )
        if self._perhaps(0.3):
            options["propagationPolicy"] = self._one(
                ("Background", "Foreground", "Orphan", "Sideways")
            )
        if self._perhaps(0.3):
            options["gracePeriodSeconds"] = self._one((0, 5, 30, -1))
        if self._perhaps(0.2):
            options["dryRun"] = ["All"]
        query = self._perhaps_pairs((("gracePeriodSeconds", self._one(("0", "7", "x"))),), 0.2)
        path = self._path(plural, name)
        return Call("DELETE", path, query, options or None, JSON, (plural, name))

    def _scale(self) -> Call:
        plural, name = self._one(("deployments", "replicasets", "pods")), self._name()
        path = f"{self._path(plural, name)}/scale"
        replicas = self._one((0, 1, 3, 100, -1, "3", None, 1.5))
        method = self._one(("GET", "PATCH", "PUT", "POST"))
        if method == "GET":
            return Call(method, path)
        body = {"spec": {"replicas": replicas}, "metadata": {"name": name, "namespace": NAMESPACE}}
        if self._perhaps(0.3):
            body["metadata"]["resourceVersion"] = self._one((self.version(plural, name), "1"))
        form = self._one((MERGE, STRATEGIC)) if method == "PATCH" else JSON
        return Call(method, path, self._writing(), body, form, (plural, name))

    def _status(self) -> Call:
        plural, name = self._one(("deployments", "pods", "services", "configmaps")), self._name()
        phase = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        body: Object = {"status": self._one((phase, {"replicas": 2}, {}, None))}
        if self._perhaps(0.3):
            body["spec"] = {"replicas": 7}
        path = f"{self._path(plural, name)}/status"
        return Call("PATCH", path, self._writing(), body, MERGE, (plural, name))

    def _evict(self) -> Call:
        name = self._name()
        what = self._one(("eviction", "eviction", "binding"))
        body: Object = {"metadata": {"name": name, "namespace": NAMESPACE}}
        if what == "binding":
            body["target"] = self._one(({"name": "node-1"}, {}, None))
        elif self._perhaps(0.3):
            body["deleteOptions"] = {"gracePeriodSeconds": self._one((0, 5))}
        path = f"{self._path('pods', name)}/{what}"
        query = self._perhaps_pairs((("dryRun", self._one(("All", "x"))),), 0.2)
        return Call("POST", path, query, body, JSON, ("pods", name))

    def _odd(self) -> Call:
        """What no client of ours sends on purpose."""
        plural, name = self._plural(), self._name()
        path = self._one(
            (
                "/api/v1/nothings", "/apis/apps/v2/deployments", "/api/v1/namespaces/nowhere/configmaps",
                f"/api/v1/namespaces/{NAMESPACE}", "/api/v1/configmaps", "/api/v1/pods/", "/nothing", "/",
                f"{self._path(plural, name)}/nothing", f"{self._path(plural, name)}/status/more",
                f"{self._path(plural)}/", f"{self._path(plural)}//{name}",
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            )
        )  # fmt: skip
        method = self._one(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
        body = self._one(ODD_VALUES) if method in ("POST", "PUT") else None
        if method == "PATCH":
            body = self._change(plural, name)
        return Call(method, path, (), body, MERGE if method == "PATCH" else JSON)

    # Their parts

    def _object(self, plural: str, name: str) -> Object:
        api, kind = APIS[plural]
        version = api.removeprefix("/apis/").removeprefix("/api/")
        labels = {"app": self._one(("a", "b", "🙂" if self._perhaps(0.05) else "c"))}
        metadata: Object = {"name": name, "namespace": NAMESPACE, "labels": labels}
        if self._perhaps(0.2):
            metadata["annotations"] = {"note": self._text()}
        if self._perhaps(0.05):
            metadata["finalizers"] = [self._one(("example.com/hold", "bad"))]
        body = {"apiVersion": version, "kind": kind, "metadata": metadata}
        return body | self._content(plural, labels)

    def _content(self, plural: str, labels: Object) -> Object:
        container: Object = {"name": "main", "image": self._one(("web:1", "web:2", "web"))}
        pod = {"containers": [container]}
        if self._perhaps(0.3):
            container["env"] = [{"name": "A", "value": self._text()}]
        if self._perhaps(0.2):
            pod["containers"].append({"name": self._one(("side", "main")), "image": "side:1"})
        template = {"metadata": {"labels": labels}, "spec": pod}
        sets = {
            "replicas": self._one((0, 1, 3)),
            "selector": {"matchLabels": labels},
            "template": template,
        }
        match plural:
            case "configmaps":
                big = "x" * self._one((10, 10, 10, 10, 10, 600_000, 1_100_000, 4_000_000))
                return {"data": {"k": self._one((self._text(), self._text(), big))}}
            case "secrets":
                return {"data": {"k": self._one(("YQ==", "not base64!"))}}
            case "pods":
                return {"spec": pod}
            case "services":
                return {
                    "spec": {"selector": labels, "ports": [{"port": self._one((80, 0, 70000))}]}
                }
            case "deployments" | "replicasets":
                return {"spec": sets}
            case "leases":
                return {"spec": {"holderIdentity": self._text(), "leaseTransitions": 3}}
            case "poddisruptionbudgets":
                return {
                    "spec": {
                        "minAvailable": self._one((1, "50%")),
                        "selector": {"matchLabels": labels},
                    }
                }
            case "horizontalpodautoscalers":
                ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
                return {"spec": {"scaleTargetRef": ref, "maxReplicas": self._one((3, 0))}}
            case "events":
                about = {"kind": "Pod", "name": "a", "namespace": NAMESPACE}
                return {
                    "involvedObject": about,
                    "reason": "Tried",
                    "message": self._text(),
                    "type": "Normal",
                }
            case "prometheusrules":
                return {"spec": {"groups": [{"name": self._text(), "rules": []}]}}
        return {}

    def _spoil(self, body: Object) -> None:
        """One thing in it is wrong."""
        match self._dice.randint(0, 7):
            case 0:
                body["metadata"] = self._one((None, {}, [], "text"))
            case 1:
                body.pop("kind")
            case 2:
                body["kind"] = "Nothing"
            case 3:
                body["apiVersion"] = self._one(("v9", "apps/v1", ""))
            case 4:
                body["metadata"]["namespace"] = "default"
            case 5:
                body["spec"] = self._one(ODD_VALUES)
            case 6:
                body[self._one(("unknown", "status", "data", "immutable"))] = self._one(ODD_VALUES)
            case 7:
                body["metadata"][self._one(("labels", "annotations", "unknown", "generation"))] = (
                    self._one(ODD_VALUES)
                )

    def _change(self, plural: str, name: str) -> Object:
        """Of a merge patch."""
        change = self._one(
            (
                {"metadata": {"annotations": {"note": self._text(), "other": None}}},
                {"metadata": {"labels": self._one(({"app": "b"}, {"app": None}, None))}},
                {"metadata": {"resourceVersion": self._one((self.version(plural, name), "1"))}},
                {"metadata": {"finalizers": None}},
                {"data": {"k": self._text(), "gone": None}},
                {"spec": {"replicas": self._one((1, 2, -1, "x"))}},
                {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "web:3"}]}}}},
                {"spec": {"holderIdentity": self._text()}},
                {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
                {"unknown": {"field": 1}},
                {"metadata": {"name": "another"}},
                {},
            )
        )  # fmt: skip
        return t.cast("Object", change)

    def _operation(self, plural: str, name: str) -> Object:
        path = self._one(
            (
                "/metadata/annotations", "/metadata/annotations/note", "/metadata/labels/app", "/data/k",
                "/spec/replicas", "/spec/template/spec/containers/0/image", "/metadata/resourceVersion",
                "/metadata/generation", "/nothing/there", "no slash", "/spec/template/spec/containers/-", "",
            )
        )  # fmt: skip
        kind = self._one(("test", "add", "add", "replace", "replace", "remove", "copy", "shout"))
        versions = (self.version(plural, name), "1")
        value = self._one((self._text(), 1, 3, {"note": "n"}, "b", "web:4", *versions, *ODD_VALUES))
        operation = {"op": kind, "path": path}
        if kind == "copy":
            return {**operation, "from": "/metadata/name"}
        return operation if kind == "remove" else {**operation, "value": value}

    def _writing(self) -> tuple[tuple[str, str], ...]:
        pairs: list[tuple[str, str]] = []
        if self._perhaps(0.7):
            pairs.append(
                ("fieldManager", self._one(("easymo", "kubectl", "other", "🙂", "x" * 200)))
            )
        if self._perhaps(0.6):
            pairs.append(
                ("fieldValidation", self._one(("Strict", "Strict", "Warn", "Ignore", "No")))
            )
        if self._perhaps(0.15):
            pairs.append(("dryRun", self._one(("All", "All", "None", "x", ""))))
        return tuple(pairs)

    def _selectors(self) -> tuple[tuple[str, str], ...]:
        labels = (
            "app=a",
            "app in (a,b)",
            "app!=a",
            "!app",
            "app",
            "app=🙂",
            "a=b=c",
            "",
            "app notin (a)",
            "((",
        )
        fields = (
            "metadata.name=a",
            "metadata.namespace=x",
            "status.phase=Running",
            "nothing=a",
            "=",
            "metadata.name!=a",
        )
        return self._one(
            ((("labelSelector", self._one(labels)),), (("fieldSelector", self._one(fields)),))
        )

    def _path(self, plural: str, name: str = "") -> str:
        path = f"{APIS[plural][0]}/namespaces/{NAMESPACE}/{plural}"
        return f"{path}/{quote(name, safe='')}" if name else path

    def _plural(self) -> str:
        return self._one(OFTEN)

    def _name(self) -> str:
        return self._one(ODD_NAMES) if self._perhaps(0.08) else self._one(NAMES)

    def _text(self) -> str:
        return self._one(
            ("1", "2", "text", "ünï 🙂", "line\nline\t\"'\\", "\x00\x1f", "y" * 5000, "")
        )

    def _one(self, of: t.Sequence[t.Any]) -> t.Any:
        return self._dice.choice(of)

    def _perhaps(self, chance: float) -> bool:
        return self._dice.random() < chance

    def _perhaps_pairs(
        self, pairs: tuple[tuple[str, str], ...], chance: float
    ) -> tuple[tuple[str, str], ...]:
        return pairs if self._perhaps(chance) else ()
