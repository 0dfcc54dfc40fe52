# SPDX-License-Identifier: GPL-3.0-or-later
"""What trouble of services and a high error rate come from."""

from __future__ import annotations

from .evidence import LIKELY, POSSIBLE, SURE
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
        "Correct the name, or ask the administrator to create it.",
    ),
    Rule(
        "unready",
        LIKELY,
        "{subject}: {pods} of {of} new pods run and are not ready ({said})",
        "Read a pod's health endpoint. " + SERVICE_BACK,
        when=unexplained,
        also=("change",),
    ),
    Rule(
        "paused",
        LIKELY,
        "{subject}: its rollout is paused, so nothing starts",
        "Find out who paused it; then {resume}.",
    ),
    Rule(
        "incomplete",
        POSSIBLE,
        "{subject}: its rollout is still under way ({counts})",
        "Check again in a minute.",
    ),
    # A high error rate
    Rule(
        "service_errors",
        SURE - 10,
        "{subject} fails {share:.1%} of its requests, and was rolled out recently",
        SERVICE_BACK + " " + FEATURE_OFF,
        when=rolled_lately,
        also=("change", "error_lines"),
    ),
    Rule(
        "service_errors",
        LIKELY,
        "{subject} fails {share:.1%} of its requests, and was not rolled out recently",
        FEATURE_OFF + " Then read its errors.",
        when=not_rolled_lately,
        also=("error_lines",),
    ),
    Rule(
        "service_errors",
        POSSIBLE,
        "{subject}, which is none of the services, answers {share:.1%} of its requests with 5xx",
        "Check it and its backends. " + FEATURE_OFF,
        when=lambda fact, facts: never_with("standing")(fact, facts) and unexplained(fact, facts),
    ),
    Rule(
        "error_lines",
        LIKELY + 10,
        "{subject}: {count} of {of} error lines say {pattern!r}",
        "Check what it names. " + FEATURE_OFF,
        when=mostly_the_same,
    ),
    Rule(
        "stale_flags",
        SURE,
        "{subject}: {pods} of {of} pods run with other flags than the ConfigMap has ({detail})",
        f"{PLAY}/deploy.yml --tags feature_flags brings them the release's flags. {FEATURE_OFF}",
    ),
    Rule(
        "dependency",
        SURE - 5,
        "{count} of {of} services say that their {subject} fails ({why})",
        "Look at {subject} first: its dependents recover with it.",
    ),
    Rule(
        "public_fails",
        SURE - 5,
        "{subject}: its public address answers {status} while its pods are ready ({body})",
        "Check the gateway before it, and its health endpoint.",
        when=some_are_ready,
        also=("standing", "service_errors"),
    ),
    Rule(
        "public_fails",
        LIKELY,
        "{subject}: its public address answers {status}, and none of its pods is ready ({body})",
        f"{PLAY}/diagnose.yml -e diagnose=crash_loop -e service={{subject}} examines its pods.",
        when=none_is_ready,
        also=("standing",),
    ),
    Rule(
        "public_fails",
        LIKELY - 10,
        "{subject}: its public address answers {status}, and it is unknown whether its pods are "
        "ready ({body})",
        "Check its pods and the gateway before them.",
        when=never_with("standing"),
    ),
    Rule(
        "public_silent",
        LIKELY,
        "{subject}: its public address does not answer ({said})",
        "Check the gateway, DNS and the network.",
    ),
    Rule(
        "unwell",
        SURE - 5,
        "{subject} is not well: {said}",
        f"{PLAY}/diagnose.yml -e diagnose=crash_loop -e service={{subject}} examines its pods.",
    ),
    Rule(
        "metric_breach",
        LIKELY,
        "{subject} is {value:.4g} {unit}, {bound}",
        "Check what it measures. " + FEATURE_OFF,
        when=is_resource,
    ),
    Rule(
        "metric_breach",
        POSSIBLE,
        "{subject} is {value:.4g} {unit}, {bound}, probably because of the last change",
        FEATURE_OFF,
        when=is_symptom,
        also=(),
    ),
    Rule(
        "no_flags",
        LIKELY,
        "there is no ConfigMap {subject}, so agents run with their built-in flags",
        f"{PLAY}/deploy.yml --tags feature_flags writes it.",
    ),
)
