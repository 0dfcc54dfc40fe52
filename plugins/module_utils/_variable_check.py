# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what is wrong with the variables of a run: unused names, placeholders, and secrets without a value."""

from __future__ import annotations

import difflib
import re
import typing as t
from collections.abc import Mapping, MutableMapping, Sequence

from ansible.module_utils.parsing.convert_bool import boolean

from ._arguments import is_endless, refuse_placeholders, refuse_secrets
from ._errors import InputError

PLACEHOLDER = "CHANGE_ME"
"""Stands in a value that the owner of the inventory has to fill in, followed by what belongs there."""

CONNECTIONS: t.Mapping[str, t.Sequence[str]] = {
    "slack_channel": ("secret_slack_bot_token",),
    "statuspage_url": ("statuspage_page_id", "secret_statuspage_token"),
}
"""By the variable that switches a connection on, those without which it is none. The others have a default."""
RENAMED: t.Mapping[str, str] = {
    "db_backup_fence": "deploy_lock_fence",
    "db_backup_pg_dump": "pg_dump",
    "db_backup_pg_restore": "pg_restore",
    "db_backup_release": "release_version",
    "edge_functions_directory": "release_functions_directory",
    "edge_functions_required_secrets": "release_functions_secrets",
    "edge_functions_test_number": "outside_test_number",
    "edge_functions_verify_jwt": "release_functions_verify_jwt",
    "edge_functions_verify_jwt_by_name": "release_functions_verify_jwt_by_name",
    "edge_functions_webhook_app_secret": "secret_wa_app_secret",
    "edge_functions_webhook_url": "release_webhook_url",
    "edge_functions_webhook_verify_token": "secret_wa_verify_token",
    "feature_flags_config_map": "flags_config_map",
    "feature_flags_consumers": "release_flags_consumers",
    "feature_flags_delivery": "release_flags_delivery",
    "feature_flags_fence": "deploy_lock_fence",
    "feature_flags_probe": "contract_flags",
    "feature_flags_release": "release_version",
    "feature_flags_wait_timeout": "release_flags_wait",
    "feature_flags_webhook_answer": "contract_webhook_answer",
    "feature_flags_webhook_app_secret": "secret_wa_app_secret",
    "feature_flags_webhook_url": "release_webhook_url",
    "feature_flags_webhook_verify_token": "secret_wa_verify_token",
    "rolling_update_environment": "service_environment",
    "rolling_update_image": "service_image",
    "rolling_update_log_line": "service_log_line",
    "rolling_update_pinned": "release_pin_digests",
    "rolling_update_undo": "release_rollback_policy",
    "release_least_agent_requests": "least_agent_requests",
    "smoke_tests_fallbacks_table": "test_fallbacks_table",
    "smoke_tests_messages_database": "test_messages_database",
    "smoke_tests_metrics_missing": "release_smoke_metrics_missing",
    "smoke_tests_metrics_wait": "release_smoke_metrics_wait",
    "smoke_tests_payment_key": "test_payment_key",
    "smoke_tests_prove_payment_key": "test_prove_payment_key",
    "smoke_tests_requests_table": "test_requests_table",
    "supabase_migrate_expected_tables": "release_expected_tables",
    **{
        f"{tool}_migrate_{option}": f"{option} in migration_options"
        for tool, more in (
            ("prisma", ("advisory_lock_timeout", "command_timeout", "generate")),
            ("sql", ()),
            ("supabase", ()),
        )
        for option in ("lock_retries", "lock_timeout", "statement_timeout", *more)
    },
}
"""Names of 0.2, and those that took their place."""
GONE: t.Mapping[str, str] = {
    "backup_local_copy": "no backup stays on this machine",
    **dict.fromkeys(
        ("backup_kms_key_id", "backup_server_side_encryption", "backup_storage_class"),
        "the bucket's own settings say how its objects are kept",
    ),
    **dict.fromkeys(
        ("diagnosis_log_bytes", "diagnosis_log_lines", "diagnosis_pods"),
        "a diagnosis reads 200 lines of a log, and of 5 pods of a Deployment",
    ),
    **dict.fromkeys(
        (
            "database_restore_timeout",
            "database_restore_wait_timeout",
            "kill_switch_wait_timeout",
            "preflight_readiness_timeout",
            "preflight_wait_timeout",
            "service_rollback_timeout",
        ),
        "its time is fixed",
    ),
    **dict.fromkeys(
        (f"prisma_migrate_{what}" for what in ("command", "engine", "url_parameters")),
        "migrations are applied without Prisma's programs",
    ),
    "service_rollback_error_text": "it is always ERROR",
    "smoke_tests_junit": "the record and report.json have the results",
    **dict.fromkeys(
        ("smoke_tests_agent_reply", "smoke_tests_agent_text"),
        "the messages of release_smoke_tests have it",
    ),
    **dict.fromkeys(
        ("smoke_tests_prompt", "user_feedback_prompt"), "people are asked wherever they can answer"
    ),
}
"""Names of 0.2 that nothing took the place of, and why none is needed."""
ADDED: t.Mapping[str, t.Sequence[str]] = {
    "shared/contracts.yml": ("contract_health_url", "contract_message_column", "contract_wallet"),
    "shared/release.yml": (
        "release_flags_messages",
        "release_rollout_checks",
        "release_worst_users",
    ),
    "prod/group_vars/all/endpoints.yml": ("kubernetes_access",),
}
"""By file of `inventories`, variables that hold what was built in up to 0.2."""
ADDED_FILES = ("shared/readiness.yml", "shared/smoke_tests.yml")
"""Those that an inventory of 0.2 takes as a whole: its rows of readiness have other options now."""
ALIASES: t.Mapping[str, str] = {
    "deploy_lock_reason": "reason",
    "ramp_reason": "reason",
    "ramp_release_reason": "reason, with ramp_release=true",
    "ramp_released_by": "by",
    "release_window_override_by": "by, with release_window_override=true",
    "release_window_override_reason": "reason, with release_window_override=true",
    "restore_approved_by": "by",
    "restore_reason": "reason",
}
"""Names of 0.2 that still say who and why, and what says it in every playbook."""
TYPED: t.Sequence[str] = (
    *(
        "by",
        "reason",
        "note",
        "answer",
        "decision",
        "feedback",
        "gate",
        "sign_off",
        "signed_release",
    ),
    *ALIASES,
    *("deploy_lock_ticket", "release_waivers", "release_phases_waived", "release_supersedes"),
    *("release_sign_offs_given", "release_migration_waivers", "release_smoke_tests_left_out"),
    *("migration_rehearsal_waiver", "migration_rehearsal_waived_by"),
    *("user_feedback_answers", "user_feedback_answered_by"),
    *("smoke_tests_answers", "smoke_tests_answered_by"),
)
"""Variables with what a person says. Given by --extra-vars they are texts and no templates."""
WRITTEN = (*TYPED, "release_launch_window", "release_availability", "release_banner")
"""Those and others with texts that the record, a message or a page will show."""


def unknown_variables(
    known: frozenset[str],
    extra: frozenset[str],
    inventory: frozenset[str],
    prefixes: tuple[str, ...],
    words: t.Collection[str] = (),
) -> list[str]:
    """One phrase for each unused name, with the nearest name that is used.

    `known`: those that some role declares. `extra`: given with --extra-vars, where a typo would silently change
    nothing. `inventory`: those of its files. What begins with one of `prefixes` is ours, so it must be known.
    `words`: those of its templates, of which names of 0.2 count as unknown.
    """
    old = RENAMED.keys() | GONE.keys()
    ours = {name for name in inventory if name.startswith(prefixes) or name in old}
    readable = known | (inventory - ours)
    suspects = ((extra - readable) | ((ours | old.intersection(words)) - known)) - ALIASES.keys()
    return [
        _describe(name, known | inventory - suspects)
        for name in sorted(suspects)
        if not name.startswith("ansible_")
    ]


COMMAND_LINE: t.Sequence[str] = (
    *("answer", "by", "decision", "diagnose", "feedback", "follow", "function", "gate", "note"),
    *("percentage", "reason", "reset", "service", "sign_instead", "sign_key", "sign_off"),
    "signed_release",
)
"""Names without a prefix, which an inventory might use for something else."""


def of_the_command_line(
    values: t.Mapping[str, t.Any], defaults: t.Mapping[str, t.Any], extra: t.Container[str]
) -> list[str]:
    """A sentence about the names of COMMAND_LINE that an inventory sets, so that they would change what is done.

    `values`: of the host. `defaults`: of the playbooks. `extra`: given with --extra-vars.
    """
    names = [
        name
        for name in COMMAND_LINE
        if name in values and name not in extra and values[name] != defaults.get(name)
    ]
    return [
        f"The inventory sets {', '.join(names)}, which the playbooks read from the command line: give that variable "
        "another name. Nothing was touched."
    ] * bool(names)


def old_names(extra: t.Iterable[str]) -> list[str]:
    """A sentence for each name of --extra-vars that another one says in every playbook."""
    return [
        f"{name} is read still. In every playbook it is {ALIASES[name]}."
        for name in sorted(extra)
        if name in ALIASES
    ]


def _describe(name: str, candidates: t.Collection[str]) -> str:
    if name == "_raw_params":  # what Ansible calls the words behind the first of a value
        return "stray words (a value with spaces needs -e 'name=\"a value\"')"
    if name in RENAMED:
        return f"{name} (it is {RENAMED[name]} now)"
    if name in GONE:
        return f"{name} (leave it out: {GONE[name]})"
    return f"{name}{nearest(name, candidates)}"


def words_of(value: t.Any) -> t.Iterator[str]:
    """Each word of the templates in the value of a variable, however deep they stand."""
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield from re.findall(r"\w+", value)
    elif isinstance(value, (Mapping, Sequence)):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from words_of(entry)


def built_in_before(names: t.Container[str]) -> list[str]:
    """A sentence that says what to copy into an inventory of 0.2, for which one variable is the sign."""
    if "kubernetes_url" not in names or "kubernetes_access" in names:
        return []
    places = [
        f"{file}: {', '.join(missing)}"
        for file, variables in ADDED.items()
        if (missing := [name for name in variables if name not in names])
    ]
    return [
        "The inventory is one of 0.2, which had no kubernetes_access. What was built in then stands in the folder "
        f"inventories of this version. Copy the files {' and '.join(ADDED_FILES)}. Copy variables of "
        f"{'; of '.join(places)}."
    ]


def nearest(name: str, known: t.Collection[str]) -> str:
    """A question in brackets for the name that was perhaps meant, "" where none is like it."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def missing_secrets(
    secrets: t.Iterable[t.Mapping[str, t.Any]], values: t.Mapping[str, str]
) -> list[str]:
    """One phrase for each secret that has no value, with where it is looked for and what needs it."""
    return [
        f"{secret['name']} (environment variable {secret['environment']}, for {secret['purpose']})"
        for secret in secrets
        if secret.get("needed", True) and not values.get(secret["name"], "").strip()
    ]


def incomplete(names: t.Container[str]) -> list[str]:
    """One sentence for each connection of CONNECTIONS that lacks something, with all that it lacks."""
    lacking = {
        head: [sibling for sibling in siblings if sibling not in names]
        for head, siblings in CONNECTIONS.items()
        if head in names
    }
    return [
        f"{head} is set without {' and '.join(missing)}: set what is missing, or leave {head} out."
        for head, missing in lacking.items()
        if missing
    ]


CHOICES = (
    *("release_services", "release_check_images", "release_pin_digests"),
    "release_image_signatures",
)
"""Variables that `refused_services` reads."""


def refused_services(
    values: t.Mapping[str, t.Any], services: t.Container[str], namespaces: t.Sequence[str]
) -> list[str]:
    """A sentence for each thing that stands against the services of a release.

    `values`: of CHOICES, None for those not set. `services`: the group microservices, which is in `namespaces`.
    """
    problems = []
    named = values["release_services"]
    if isinstance(named, list) and (strangers := [name for name in named if name not in services]):
        problems.append(
            f"release_services names {', '.join(map(str, strangers))}, and the group microservices of the inventory "
            "does not: correct the name, or add the host. Nothing was touched."
        )
    if len(namespaces) > 1:
        problems.append(
            f"The services of the inventory are in several namespaces ({', '.join(namespaces)}): a release is rolled "
            "in one. Set kubernetes_namespace for all of them, or make an inventory for each namespace. Nothing was "
            "touched."
        )
    checks = values["release_check_images"]
    pins = boolean(values["release_pin_digests"] or False, strict=False)
    if values["release_image_signatures"] and not pins:
        problems.append(
            "release_image_signatures needs release_pin_digests: true, for a tag may move after its image was verified."
        )
    if pins and not boolean(True if checks is None else checks, strict=False):
        problems.append(
            "release_pin_digests needs the digests from release_check_images: set that to true if the registry is "
            "reachable, or release_pin_digests to false."
        )
    return problems


def placeholders(name: str, value: t.Any, *, why: bool = False) -> t.Iterator[str]:
    """The paths to what still has to be filled in, as C(name.key[0]), however deep; with `why`, its text too."""
    for path, text in _texts(name, value):
        if PLACEHOLDER in text:
            yield f"{path} ({text.partition(PLACEHOLDER)[2].lstrip(': ')})" if why else path


def _texts(name: str, value: t.Any) -> t.Iterator[tuple[str, str]]:
    return iter(()) if is_endless(value) else _texts_in(name, value)


def _texts_in(name: str, value: t.Any) -> t.Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts_in(f"{name}.{key}", inner)
    elif isinstance(value, Sequence):
        for number, inner in enumerate(value):
            yield from _texts_in(f"{name}[{number}]", inner)


def placeholders_told(results: t.Iterable[t.Mapping[str, str]]) -> str:
    """One sentence with all of them. Each has its `name` and its `file`, "" where that is unknown."""
    by_file: dict[str, list[str]] = {}
    for result in results:
        by_file.setdefault(result["file"], []).append(result["name"])
    listed = "; ".join(
        f"{file}: {', '.join(names)}" if file else ", ".join(names)
        for file, names in by_file.items()
    )
    number = sum(map(len, by_file.values()))
    what = "1 value still has" if number == 1 else f"{number} values still have"
    return f"{what} to be filled in: {listed}. What belongs there stands behind {PLACEHOLDER}."


def typed_unchanged(extra: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """One sentence for each name and reason among --extra-vars that is the placeholder of a printed command."""
    for name, value in extra.items():
        if f"_{name}".endswith(("_by", "_reason")):
            try:
                refuse_placeholders(**{name: value})
            except InputError as exc:
                yield str(exc)


def with_secrets(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """One sentence for each text of WRITTEN that looks like a secret."""
    for name in WRITTEN:
        for path, text in _texts(name, variables.get(name)):
            try:
                refuse_secrets(**{path: text})
            except InputError as exc:
                yield str(exc)


def take_as_text(extra: MutableMapping[str, t.Any]) -> None:
    """Of --extra-vars those of TYPED, in place: Ansible evaluates a text only while it is tagged as trusted."""
    for name in extra.keys() & set(TYPED):
        if not is_endless(extra[name]):
            extra[name] = _untagged(extra[name])


def _untagged(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return str.__str__(value)  # a copy without Ansible's tags
    if isinstance(value, Mapping):
        return {key: _untagged(inner) for key, inner in value.items()}
    return [*map(_untagged, value)] if isinstance(value, Sequence) else value


def evaluated(extra: t.Mapping[str, t.Any], trusted: t.Callable[[str], bool]) -> t.Iterator[str]:
    """One sentence for each template among what `take_as_text` should have taken. `trusted`: Ansible evaluates it."""
    for name in TYPED:
        for path, text in _texts(name, extra.get(name)):
            if trusted(text) and any(words_of(text)):
                yield (
                    f"{path!r} is a template, which Ansible evaluates: enable the callback easymo.deploy.arguments, "
                    "which takes it as a text."
                )
