# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong before a release: one assumption each, by what it is about."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from sandbox.faults import Fault
from sandbox.services.routing import bucket

NOWHERE = "127.0.0.1:9"
FIRST = next(f"25078{n:07d}" for n in range(10**6) if bucket(f"25078{n:07d}") < 100)
"""A number among the first percent."""


@dataclass(frozen=True)
class Broken:
    """`check` is the check that looks, `row` what it names the problem by, `told` a part of what it says.

    `values` are those of the inventory that are wrong, `faults` those of the sandbox.
    """

    check: str
    told: str
    values: t.Mapping[str, t.Any] = field(default_factory=dict)
    row: str = ""
    faults: tuple[Fault, ...] = ()
    status: str = "fail"


def deep(name: str, **changes: t.Any) -> dict[str, t.Any]:
    return {name: {"$deep": {path.replace("__", "."): value for path, value in changes.items()}}}


def query(number: int, text: str) -> dict[str, t.Any]:
    return {"release_metrics": {"$deep": {f"{number}.query": text}}}


BROKEN: dict[str, Broken] = {
    # Kubernetes
    "the API server's address": Broken(
        "rbac", "does not answer", {"kubernetes_url": f"https://{NOWHERE}"}, status="hold"
    ),
    "the API server's authority": Broken(
        "certificate_kubernetes", "is not accepted", {"kubernetes_ca_cert": "$tmp/other.crt"}
    ),
    "the deployer's token": Broken(
        "rbac", "The credentials were refused", {"secret_kubernetes_token": "s3cr3t"}
    ),
    "the namespace": Broken(
        "health", 'in the namespace "other"', {"kubernetes_namespace": "other"}, "pods"
    ),
    "a right of the deployer": Broken(
        "rbac",
        "you may not patch deployments.apps",
        faults=(Fault("kubernetes", "forbidden", "patch deployments"),),
    ),
    "the right to write alerts": Broken(
        "rights_alert_rules",
        "in monitoring you may not get, create, patch prometheusrules.monitoring.coreos.com. Let the deployer",
        {"alert_rules_destination": "prometheus_rule"},
    ),
    "a service's Deployment": Broken(
        "rollout",
        "ghost-service",
        {"preflight_services": ["agent-core", "ghost-service"]},
        status="hold",
    ),
    "a reader of the flags": Broken(
        "flags_readers", "no Deployment ghost", {"feature_flags_consumers": ["ghost"]}
    ),
    "the name of the flags' ConfigMap": Broken(
        "flags_readers",
        "agent-core takes no environment from the ConfigMap flags",
        {"feature_flags_config_map": "flags"},
    ),
    # Databases
    "a database's host": Broken(
        "health", "Cannot reach database 'agent_core_prod'", {"database_port": 9}, "agent_core_db"
    ),
    "a database's user": Broken(
        "health",
        "User 'nobody_here' was refused",
        {"database_user": "nobody_here"},
        "agent_core_db",
    ),
    "a database's password": Broken(
        "health", "was refused", {"secret_agent_core_db_password": "s3cr3t"}, "agent_core_db"
    ),
    "a database's name": Broken(
        "health", "nothing_here", {"database_name": "nothing_here"}, "supabase_db"
    ),
    "a database's authority": Broken(
        "certificate_agent_core_db", "is not accepted", {"database_ca_cert": "$tmp/other.crt"}
    ),
    "the right to dump": Broken(
        "rights_agent_core_db",
        "Connect as the owner",
        {"database_user": "$reader", "secret_agent_core_db_password": "s3cr3t"},
        "agent_core_db_dump",
    ),
    "the right to create tables": Broken(
        "rights_agent_core_db",
        "has_schema_privilege",
        {"database_user": "$reader", "secret_agent_core_db_password": "s3cr3t"},
        "agent_core_db_create",
    ),
    "the right to create databases": Broken(
        "rights_agent_core_db",
        "rolcreatedb",
        {"database_user": "$reader", "secret_agent_core_db_password": "s3cr3t"},
        "agent_core_db_rehearse",
    ),
    "the right to alter tables": Broken(
        "rights_agent_core_db",
        "pg_has_role",
        {"database_user": "$reader", "secret_agent_core_db_password": "s3cr3t"},
        "agent_core_db_alter",
    ),
    "a column": Broken(
        "queries_agent_core_db",
        "column o.number does not exist",
        {
            "release_verification_queries": {
                "agent_core_db": [{"name": "orders", "query": "SELECT o.number FROM orders o"}]
            }
        },
    ),
    "a table": Broken(
        "queries_supabase_db",
        'relation "agent_fallbacks" does not exist',
        {"release_expected_tables": ["agent_sessions", "agent_requests"]},
    ),
    "a program": Broken("programs", "pg_dumb", {"pg_dump": "pg_dumb"}),
    "a program's version": Broken(
        "programs", "pg_dump 13.1 cannot dump a server of version 18", {"pg_dump": "$tmp/pg_dump"}
    ),
    # Backups
    "the bucket": Broken(
        "bucket_backups", "There is no bucket 'other'", {"backup_bucket": "other"}
    ),
    "the bucket's key": Broken(
        "bucket_backups", "refused access", {"secret_backup_secret_key": "s3cr3t"}
    ),
    "the bucket's address": Broken(
        "bucket_backups",
        "cannot be reached",
        {"backup_endpoint_url": f"http://{NOWHERE}"},
        status="hold",
    ),
    "the page's bucket": Broken(
        "bucket_page",
        "There is no bucket 'pages'",
        {"release_page": {"bucket": "pages", "key": "a.html", "url": "http://x/a"}},
    ),
    # Supabase
    "the project's address": Broken(
        "health", "cannot be reached", {"supabase_url": f"http://{NOWHERE}"}, "supabase"
    ),
    "the service role's key": Broken(
        "health", "answered 401", {"secret_supabase_service_role_key": "s3cr3t"}, "supabase"
    ),
    "a token that ends": Broken(
        "token_supabase", "it expired at", {"secret_supabase_service_role_key": "$expired"}
    ),
    "the project's reference": Broken(
        "functions", "403", {"supabase_project_ref": "abcdefghijklmnopqrst"}
    ),
    "the access token": Broken(
        "functions", "token", {"secret_supabase_access_token": "sbp_s3cr3t"}
    ),
    "the functions' secrets": Broken(
        "functions",
        "no secret STRIPE_KEY",
        {"release_functions_secrets": ["ADMIN_TOKEN", "STRIPE_KEY"]},
    ),
    "the function of the version": Broken(
        "function_health", "answered 500", faults=(Fault("supabase", "errors", "health"),)
    ),
    "the challenge's token": Broken(
        "webhook", "verification challenge", {"secret_wa_verify_token": "s3cr3t"}
    ),
    "the app secret": Broken(
        "webhook", "signed notification was answered 401", {"secret_wa_app_secret": "s3cr3t"}
    ),
    "a webhook that takes everything": Broken(
        "webhook", "unsigned message", {"supabase_url": "$web/ok"}
    ),
    # The public API
    "the API's address": Broken(
        "services", "cannot be reached", {"api_url": f"http://{NOWHERE}"}, "wallet-service"
    ),
    "a health address without a version": Broken(
        "services", "does not hold version", {"api_url": "$web/bare"}, "agent-core"
    ),
    "a health address that answers HTML": Broken(
        "services", "is not JSON", {"api_url": "$web/html"}, "voice-bridge"
    ),
    "the worker's health": Broken(
        "worker",
        "answered 500",
        row="whatsapp-webhook-worker",
        faults=(Fault("gateway", "errors", "whatsapp-webhook-worker"),),
    ),
    "the dashboard's percentage": Broken(
        "dashboard", "does not hold percentage", {"admin_url": "$web/bare"}
    ),
    "the test wallet": Broken("wallet", "answered 404", {"internal_test_number": "250780009999"}),
    "the money in it": Broken(
        "wallet",
        "does not hold balance >= `100000000`",
        {"test_order": {"vendor_id": "x", "amount": 100000000}},
    ),
    "the number outside": Broken(
        "outside_number", "among the first 1 %", {"outside_test_number": FIRST}
    ),
    "the banner's token": Broken(
        "banner",
        "answered 401",
        {
            "release_banner": {"enabled": True, "message": "x", "type": "info"},
            "secret_admin_token": "s3cr3t",
        },
    ),
    # Components
    "Redis's address": Broken(
        "health", "Redis at 127.0.0.1:9 cannot be reached", {"redis_port": 9}, "redis"
    ),
    "Redis's password": Broken(
        "health", "refused the password", {"secret_redis_password": "s3cr3t"}, "redis"
    ),
    "TLS that Redis has not": Broken("health", "Redis at", {"redis_tls": True}, "redis"),
    "Kafka's address": Broken("health", "did not answer", {"kafka_bootstrap": NOWHERE}, "kafka"),
    "the registry": Broken("registry", "cannot be reached", {"registry_url": f"http://{NOWHERE}"}),
    # Prometheus
    "Prometheus's address": Broken(
        "series", "cannot be reached", {"prometheus_url": f"http://{NOWHERE}"}, status="hold"
    ),
    "another server in its place": Broken(
        "series", "check its URL", {"prometheus_url": "$web/html"}
    ),
    "a tenant header": Broken("series", "tenant", {"prometheus_url": "$web/empty"}),
    "a metric's name": Broken(
        "series",
        "error_rate: there is no series of http_request_total",
        query(0, "rate(http_request_total[1m])"),
    ),
    "a label": Broken(
        "series",
        'but none with service="agentcore"',
        query(1, 'rate(http_request_duration_seconds_bucket{service="agentcore"}[1m])'),
    ),
    "a label of events": Broken(
        "series",
        "none with the label outcome",
        query(0, 'rate(http_requests_total{outcome="error"}[1m])'),
    ),
    "the consumer group": Broken(
        "series",
        'but none with consumergroup="workers"',
        query(7, 'kafka_consumergroup_lag{consumergroup="workers"}'),
    ),
    "a query": Broken("series", "does not understand", query(0, "rate(")),
    "an alert": Broken(
        "alert_rules",
        "has no alert 'Nobody Home' loaded",
        {"release_alerts": ["Service Down", "Nobody Home"]},
    ),
    "Alertmanager's address": Broken(
        "alert_rules", "cannot be reached", {"alertmanager_url": f"http://{NOWHERE}"}, status="hold"
    ),
    "a clock": Broken("clock_prometheus", "ahead of the server's", {"prometheus_url": "$web/late"}),
    # People
    "the mail server": Broken("mail", "can't be reached", {"smtp_port": 9}, status="hold"),
    "the mail server's port": Broken(
        "mail", "speaks TLS from the first byte", {"smtp_port": 465}, status="hold"
    ),
    "the mail server's certificate": Broken("mail", "TLS", {"smtp_starttls": "required"}),
    "the mail's recipients": Broken(
        "mail", "does not take stakeholders@easymo.com", faults=(Fault("smtp", "rejects"),)
    ),
    "the channel": Broken(
        "war_room", "is not a channel visible to the app", {"slack_channel": "#nowhere"}
    ),
    "a channel that is gone": Broken(
        "contacts", "C0DEPLOY01", faults=(Fault("sinks", "channel-missing"),)
    ),
    "a contact": Broken(
        "contacts",
        "U0NOBODY99 is not in the workspace",
        deep("release_contacts", manager={"name": "Nobody", "slack": "U0NOBODY99"}),
    ),
    "the bot's token": Broken(
        "people_in_slack", "check the bot token", {"secret_slack_bot_token": "xoxb-s3cr3t"}
    ),
    "the schedule": Broken("on_call", "PNOBODY", {"pagerduty_schedule": "PNOBODY"}),
    "somebody on call": Broken(
        "on_call", "nobody is on call", faults=(Fault("sinks", "nobody-on-call"),)
    ),
    "PagerDuty's token": Broken("on_call", "token", {"secret_pagerduty_token": "s3cr3t"}),
    "the repository": Broken("github", "answered 404", {"github_repository": "easymo/other"}),
    "GitHub's token": Broken("github", "answered 401", {"secret_github_token": "s3cr3t"}),
    "the status page's token": Broken(
        "status_page", "answered 401", {"secret_statuspage_token": "s3cr3t"}
    ),
    # What is not to be known from here
    "a secret that is not here": Broken(
        "functions",
        "secret_supabase_access_token has no value",
        {"secret_supabase_access_token": ""},
        status="skipped",
    ),
    "a placeholder in its options": Broken(
        "mail",
        "mail.recipients[0] is filled in",
        {"release_mail_recipients": ["CHANGE_ME: whom"]},
        status="skipped",
    ),
    "how users are drawn": Broken(
        "outside_number",
        "only the application knows",
        {"readiness_rollout_draw": {}},
        status="skipped",
    ),
}
