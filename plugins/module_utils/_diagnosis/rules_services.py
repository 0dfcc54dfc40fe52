# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What trouble of services and a high error rate come from."""

from __future__ import annotations

from .models import LIKELY, POSSIBLE, SURE
from .rules import (
    FEATURE_OFF,
    PLAY,
    SERVICE_BACK,
    Rule,
    dooms,
    is_resource,
    is_symptom,
    mostly_the_same,
    never_with,
    none_is_ready,
    not_rolled_lately,
    passes,
    rolled_lately,
    some_are_ready,
    unexplained,
)

SERVICE_RULES = (
    # A crash loop
    Rule(
        "trouble",
        SURE,
        "{subject}: {cause}",
        "{hint} " + SERVICE_BACK,
        when=dooms,
        also=("change",),
    ),
    Rule("trouble_over", POSSIBLE, "{subject}: {cause}, and its pods are ready again", "{hint}"),
    Rule("trouble", LIKELY, "{subject}: {cause}", "{hint}", when=passes),
    Rule(
        "deployment_missing",
        SURE,
        "{subject}: the cluster has no such Deployment",
        "Correct the name, or have the administrator create it.",
    ),
    Rule(
        "unready",
        LIKELY,
        "{subject}: {pods} of {of} new pods run and are not ready ({said})",
        "Ask a pod's health for what it waits for. " + SERVICE_BACK,
        when=unexplained,
        also=("change",),
    ),
    Rule(
        "paused",
        LIKELY,
        "{subject}: its rollout is paused, so nothing new starts",
        "Ask who paused it: kubectl rollout resume deployment/{subject}.",
    ),
    Rule(
        "incomplete",
        POSSIBLE,
        "{subject}: its rollout is still under way ({counts})",
        "Look again in a minute.",
    ),
    # A high error rate
    Rule(
        "service_errors",
        SURE - 10,
        "{subject} fails {share:.1%} of its requests, and was rolled out lately",
        SERVICE_BACK + " " + FEATURE_OFF,
        when=rolled_lately,
        also=("change", "error_lines"),
    ),
    Rule(
        "service_errors",
        LIKELY,
        "{subject} fails {share:.1%} of its requests, and was not rolled out lately",
        FEATURE_OFF + " Then read its errors.",
        when=not_rolled_lately,
        also=("error_lines",),
    ),
    Rule(
        "service_errors",
        POSSIBLE,
        "{subject}, which is none of the services, answers {share:.1%} of its requests with 5xx",
        "Look at it, and at what is behind it. " + FEATURE_OFF,
        when=lambda fact, facts: never_with("standing")(fact, facts) and unexplained(fact, facts),
    ),
    Rule(
        "error_lines",
        LIKELY + 10,
        "{subject}: {count} of {of} error lines say {pattern!r}",
        "Look at what it names. " + FEATURE_OFF,
        when=mostly_the_same,
    ),
    Rule(
        "stale_flags",
        SURE,
        "{subject}: {pods} of {of} pods run with other flags than the ConfigMap has ({detail})",
        f"{PLAY}/deploy_v2.yml --tags feature_flags restarts them with the release's flags. {FEATURE_OFF}",
    ),
    Rule(
        "dependency",
        SURE - 5,
        "{count} of {of} services say that their {subject} fails ({why})",
        "Look at {subject} first: what depends on it is well again when it is.",
    ),
    Rule(
        "public_fails",
        SURE - 5,
        "{subject}: its public address answers {status} while its pods are ready ({body})",
        "Look at the gateway before it, and at what its health checks.",
        when=some_are_ready,
        also=("standing", "service_errors"),
    ),
    Rule(
        "public_fails",
        LIKELY,
        "{subject}: its public address answers {status}, and none of its pods is ready ({body})",
        f"{PLAY}/diagnose.yml -e diagnose=crash_loop -e service={{subject}} looks into its pods.",
        when=none_is_ready,
        also=("standing",),
    ),
    Rule(
        "public_fails",
        LIKELY - 10,
        "{subject}: its public address answers {status}, and nobody saw whether its pods are ready ({body})",
        "Look at its pods and at the gateway before them.",
        when=never_with("standing"),
    ),
    Rule(
        "public_silent",
        LIKELY,
        "{subject}: its public address does not answer ({said})",
        "Look at the gateway, at DNS, and at the network between.",
    ),
    Rule(
        "metric_breach",
        LIKELY,
        "{subject} is {value:.4g} {unit}, {bound}",
        "Look at what it measures. " + FEATURE_OFF,
        when=is_resource,
    ),
    Rule(
        "metric_breach",
        POSSIBLE,
        "{subject} is {value:.4g} {unit}, {bound}, and what was changed last is the likeliest reason",
        FEATURE_OFF,
        when=is_symptom,
        also=(),
    ),
    Rule(
        "no_flags",
        LIKELY,
        "there is no ConfigMap {subject}, so agents run with their built-in flags",
        f"{PLAY}/deploy_v2.yml --tags feature_flags writes it.",
    ),
)
