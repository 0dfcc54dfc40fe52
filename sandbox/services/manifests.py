# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster holds before the release: the platform at its previous version."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import yaml

from sandbox.names import (
    INTERNAL_NUMBER,
    KAFKA_GROUP,
    NAMESPACE,
    PREVIOUS_VERSION,
    PROJECT_REF,
    SERVICES,
    WORKER,
)
from sandbox.postgres import database_url
from sandbox.supabase.settings import mint

if t.TYPE_CHECKING:
    from sandbox.world import World

Manifest = dict[str, t.Any]

PORT = 8080
RIGHTS = Path(__file__).parents[1] / "project/rbac"


@dataclass(frozen=True)
class Team:
    """Whose objects they are: the namespace, the name that they are labelled by, and where pods get their settings."""

    namespace: str
    name: str
    environment: tuple[Manifest, ...]


FLAGS = "feature-flags"
EASYMO = Team(
    NAMESPACE,
    "easymo",
    (
        {"configMapRef": {"name": "platform-config"}},
        {"secretRef": {"name": "platform-secrets"}},
        {"configMapRef": {"name": FLAGS, "optional": True}},
    ),
)
MOST_REPLICAS = {**dict.fromkeys(SERVICES, 3), WORKER: 2}

FLAGS_BEFORE = {
    "FEATURE_AI_AGENTS": "false",
    "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE": "0",
    "FEATURE_BUYER_AGENT": "false",
    "FEATURE_STATION_AGENT": "false",
    "FEATURE_VENDOR_AGENT": "false",
    "FEATURE_DRIVER_AGENT": "false",
    "FEATURE_ADMIN_AGENT": "false",
    "FEATURE_CUSTOMER_SUPPORT_AGENT": "false",
    "FEATURE_MARKETPLACE_AGENT": "false",
}


def manifests(world: World) -> list[Manifest]:
    """Every object of the platform, in an order in which they can be created."""
    objects = [
        *home(EASYMO),
        config_map("platform-config", _platform_config(world)),
        secret("platform-secrets", _platform_secrets(world)),
        config_map(FLAGS, FLAGS_BEFORE),
    ]
    for service, most in MOST_REPLICAS.items():
        image = f"{EASYMO.name}/{service}:v{PREVIOUS_VERSION}"
        objects += workload(service, min(most, world.option("replicas")), image)
    return objects


def home(team: Team) -> list[Manifest]:
    rights = (path.read_text(encoding="utf-8") for path in sorted(RIGHTS.glob("*.yaml")))
    # As service-account.yaml tells people to.
    named = (text.replace(EASYMO.namespace, team.namespace) for text in rights)
    return [_namespace(team), *map(yaml.safe_load, named)]


def workload(
    service: str, replicas: int, image: str, team: Team = EASYMO, *, listens: bool = True
) -> list[Manifest]:
    return [
        deployment(service, replicas, image, team, listens=listens),
        *([_service(service, team)] if listens else []),
        _disruption_budget(service, replicas - 1, team),
    ]


def _platform_config(world: World) -> dict[str, str]:
    kafka = world.facts("kafka")
    return {
        "AGENT_ALLOW_LIST": INTERNAL_NUMBER,
        "INTERNAL_NUMBER": INTERNAL_NUMBER,
        "KAFKA_BROKERS": str(kafka["bootstrap"]),
        "KAFKA_GROUP": str(kafka.get("group", KAFKA_GROUP)),
        "OPENAI_BASE_URL": f"{world.facts('sinks')['openai_url']}/v1",
        "PUBLIC_URL": world.url("gateway"),
        "SUPABASE_URL": world.url("supabase-gateway"),
    }


def _platform_secrets(world: World) -> dict[str, str]:
    postgres, valkey = world.facts("postgres"), world.facts("valkey")
    logins = postgres["databases"]
    redis = f"redis://:{quote(valkey['password'], safe='')}@{valkey['host']}:{valkey['port']}/0"
    return {
        "ADMIN_TOKEN": world.secret("admin-token"),
        "DATABASE_URL": database_url(postgres, logins["agent_core"]),
        "OPENAI_API_KEY": str(world.facts("sinks")["openai_api_key"]),
        "REDIS_URL": redis,
        "SUPABASE_DATABASE_URL": database_url(postgres, logins["supabase"]),
        # Supabase comes after the cluster, so its key is made here from what both of them know.
        "SUPABASE_SERVICE_ROLE_KEY": mint(
            world.secret("supabase-jwt-secret"), role="service_role", project_ref=PROJECT_REF
        ),
    }


def _metadata(name: str, team: Team = EASYMO, **labels: str) -> Manifest:
    labels = {**labels, "app.kubernetes.io/part-of": team.name}
    return {"name": name, "namespace": team.namespace, "labels": labels}


def _object(kind: str, metadata: Manifest, version: str = "v1", **rest: t.Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _namespace(team: Team) -> Manifest:
    labels = {"kubernetes.io/metadata.name": team.namespace}
    return _object("Namespace", {"name": team.namespace, "labels": labels})


def config_map(name: str, data: t.Mapping[str, str], team: Team = EASYMO) -> Manifest:
    return _object("ConfigMap", _metadata(name, team), data=dict(data))


def secret(name: str, values: t.Mapping[str, str], team: Team = EASYMO) -> Manifest:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return _object("Secret", _metadata(name, team), type="Opaque", data=data)


def deployment(
    service: str, replicas: int, image: str, team: Team = EASYMO, *, listens: bool = True
) -> Manifest:
    """One that does not listen has no port, and so no probe that asks one."""
    container = _container(service, image, team)
    if not listens:
        for field in ("ports", "readinessProbe", "livenessProbe"):
            del container[field]
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": service}},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        },
        "minReadySeconds": 0,
        "progressDeadlineSeconds": 60,
        "revisionHistoryLimit": 10,
        "template": _pod_template(service, container),
    }
    return _object("Deployment", _metadata(service, team, app=service), "apps/v1", spec=spec)


def _pod_template(service: str, container: Manifest) -> Manifest:
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)}
    return {
        "metadata": {"labels": {"app": service}, "annotations": annotations},
        "spec": {
            # The longest a request may take, plus what the pause before the end takes.
            "terminationGracePeriodSeconds": 10,
            "containers": [container],
        },
    }


def _container(service: str, image: str, team: Team) -> Manifest:
    return {
        "name": service,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "envFrom": list(team.environment),
        # As often as a kubelet asks by itself: probes are most of what a sandbox costs while nobody uses it.
        "readinessProbe": {**_probe("/health"), "periodSeconds": 10, "failureThreshold": 2},
        # Not /health: a database that is away must not have every pod restarted. Asked often, so that a
        # new pod soon proves that it answers, and patient, for the machine may be busy.
        "livenessProbe": {
            **_probe("/livez"),
            "periodSeconds": 3,
            "failureThreshold": 7,
            "timeoutSeconds": 1,
        },
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        # Time for every router to learn that the pod takes no new requests.
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    }


def _probe(path: str) -> Manifest:
    return {"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 3}


def _service(service: str, team: Team) -> Manifest:
    spec = {
        "type": "ClusterIP",
        "selector": {"app": service},
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
    }
    return _object("Service", _metadata(service, team, app=service), spec=spec)


def _disruption_budget(service: str, available: int, team: Team) -> Manifest:
    spec = {"minAvailable": available, "selector": {"matchLabels": {"app": service}}}
    metadata = _metadata(service, team, app=service)
    return _object("PodDisruptionBudget", metadata, "policy/v1", spec=spec)
