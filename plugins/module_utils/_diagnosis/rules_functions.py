# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What an edge function that does not respond comes from."""

from __future__ import annotations

from .models import LIKELY, POSSIBLE, SURE
from .rules import (
    DEPLOY_FUNCTIONS,
    FUNCTIONS_BACK,
    Rule,
    never_with,
    of_its_own,
    with_code,
    without,
)

FUNCTION_RULES = (
    # An edge function
    Rule(
        "gateway_silent",
        SURE,
        "no function answers, so the gateway or the network fails ({said})",
        "Check the project's status, DNS and the network: deploying again would change nothing.",
    ),
    Rule(
        "jwt_policy",
        SURE,
        "{subject}: its JWT check is {on}, against the release's policy, so it answers the wrong callers",
        DEPLOY_FUNCTIONS,
        also=("function_fails",),
    ),
    Rule(
        "not_listed",
        SURE,
        "{subject} is not deployed in this project",
        DEPLOY_FUNCTIONS,
        also=("function_fails",),
    ),
    Rule(
        "not_active",
        SURE,
        "{subject} is {status} in the project's list",
        DEPLOY_FUNCTIONS,
        also=("function_fails",),
    ),
    Rule(
        "no_secret",
        SURE - 5,
        "the project has no secret {subject}, which its functions need",
        "Set it: supabase secrets set {subject}=… , or the module edge_function_secrets.",
        also=("function_errors",),
    ),
    Rule(
        "function_fails",
        SURE,
        "{subject} is listed and has no bundle: {problem}",
        DEPLOY_FUNCTIONS,
        when=with_code("NOT_FOUND_FUNCTION_BLOB"),
    ),
    Rule(
        "function_fails",
        SURE,
        "{subject} does not start: {problem}",
        "Read its log. " + FUNCTIONS_BACK,
        when=with_code("BOOT_ERROR"),
        also=("function_errors",),
    ),
    Rule(
        "function_fails",
        SURE - 5,
        "{subject} starts, and ends while it answers: {problem}",
        "Read its log. " + FUNCTIONS_BACK,
        when=with_code("WORKER_ERROR"),
        also=("function_errors",),
    ),
    Rule(
        "function_fails",
        SURE - 5,
        "{subject} exceeds a function's limits: {problem}",
        "Find what uses its memory or time. " + FUNCTIONS_BACK,
        when=with_code("WORKER_LIMIT", "WORKER_RESOURCE_LIMIT"),
        also=("function_errors",),
    ),
    Rule(
        "function_fails",
        LIKELY,
        "{subject}: the gateway requires a JWT, so it refuses callers without one",
        "Check its policy in the release. " + DEPLOY_FUNCTIONS,
        when=lambda fact, facts: (
            fact.values["code"] == "UNAUTHORIZED" and never_with("jwt_policy")(fact, facts)
        ),
    ),
    Rule(
        "function_fails",
        LIKELY,
        "{subject} is unknown to the gateway: {problem}",
        DEPLOY_FUNCTIONS,
        when=lambda fact, facts: (
            fact.values["code"] == "NOT_FOUND" and never_with("not_listed")(fact, facts)
        ),
    ),
    Rule(
        "function_fails",
        LIKELY + 10,
        "{subject} answers, and fails itself: {problem}",
        "Read its log. " + FUNCTIONS_BACK,
        when=of_its_own,
        also=("function_errors",),
    ),
    Rule(
        "function_silent",
        LIKELY + 10,
        "{subject} alone does not answer ({said})",
        "Read its log. " + FUNCTIONS_BACK,
        when=without("gateway_silent"),
        also=("function_errors",),
    ),
    Rule(
        "function_errors",
        POSSIBLE,
        "{subject} answers and has {count} error lines in the last hour, the last: {last}",
        "Read its log.",
        when=never_with("function_fails", "function_silent"),
    ),
)
