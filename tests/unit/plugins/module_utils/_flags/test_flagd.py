import json
import typing as t
from pathlib import Path

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import FlagsMap, plan_flags
from ansible_collections.easymo.deploy.plugins.module_utils._flags.values import Document

KEY = "flags.flagd.json"
FLAGS = {"FEATURE_AI_AGENTS": "true", "PERCENTAGE": "10", "LEVEL": "info", KEY: "old"}
TARGETED = """
{"flags": {"ai-agents": {
  "state": "{{ 'ENABLED' if flags.FEATURE_AI_AGENTS else 'DISABLED' }}",
  "variants": {"on": true, "off": false},
  "defaultVariant": "off",
  "targeting": {"fractional": [["on", {{ flags.PERCENTAGE }}], ["off", {{ 100 - flags.PERCENTAGE }}]]}
}}}
"""


def rendered(template: str = "", **flags: str) -> t.Any:
    return json.loads(Document(KEY, template).render({**FLAGS, **flags}))


def test_without_a_template_each_flag_is_one_of_its_own_name():
    flags = rendered()["flags"]
    assert flags.keys() == FLAGS.keys() - {KEY}
    assert flags["FEATURE_AI_AGENTS"] == {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "on",
    }
    assert flags["PERCENTAGE"]["variants"] == {"value": 10}


@pytest.mark.parametrize(("template", "words"), [
    ("{{ flags.MISSING }}", "no attribute 'MISSING'"),
    ("{{ flags.", "cannot be rendered"),
    ("flags", "no JSON"),
    ("[]", "no document"),
    ('{"flags": {}}', "no document"),
    ('{"flags": {"a": {"state": "on", "variants": {"x": 1}}}}', "'a' whose state"),
    ('{"flags": {"a": {"state": "ENABLED"}}}', "'a' without variants"),
    ('{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "y"}}}',
     "'y' is none of its variants"),
])  # fmt: skip
def test_what_no_provider_would_read_is_refused(template, words):
    with pytest.raises(InputError, match=words):
        rendered(template)


@pytest.mark.parametrize("key", ["FLAGS", "a/b", ""])
def test_the_key_is_a_file_and_no_flag(key):
    with pytest.raises(InputError, match="must be a file's name"):
        Document.from_options({"key": key, "template": ""})


def share(folder: Path, document: str, users: int = 2000) -> float:
    """Of users who are in, as the provider of PyPI decides."""
    file = folder / KEY
    file.write_text(document)
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=str(file), deadline_ms=60_000
    )
    api.set_provider_and_wait(provider, str(folder))
    client = api.get_client(str(folder))
    contexts = [EvaluationContext(targeting_key=f"user-{number}") for number in range(users)]
    served = [client.get_boolean_value("ai-agents", False, context) for context in contexts]
    provider.shutdown()
    return sum(served) / users


def test_the_provider_lets_in_as_many_users_as_the_percentage_says(tmp_path):
    document = Document(KEY, TARGETED)
    assert share(tmp_path, document.render(FLAGS)) == pytest.approx(0.10, abs=0.03)
    off = {**FLAGS, "FEATURE_AI_AGENTS": "false"}
    assert share(tmp_path / "..", document.render(off)) == 0


def test_the_document_is_made_of_what_will_be_written_and_is_part_of_the_same_write():
    before = FlagsMap("feature-flags", exists=True, data={"PERCENTAGE": "5", "BY_HAND": "1"})
    plan = plan_flags(before, {"PERCENTAGE": "10"}, document=Document(KEY))
    written = plan.to_object("n")["data"]
    assert written.keys() == {"PERCENTAGE", KEY}
    flags = json.loads(written[KEY])["flags"]
    assert flags["PERCENTAGE"]["variants"] == {"value": 10}
    assert flags["BY_HAND"]["variants"] == {"value": 1}, "whoever set it"

    there = FlagsMap("feature-flags", exists=True, data=plan.after)
    assert not plan_flags(there, {"PERCENTAGE": "10"}, document=Document(KEY)).changed
    drifted = FlagsMap(
        "feature-flags", exists=True, data={**plan.after, "PERCENTAGE": "10", "BY_HAND": "2"}
    )
    again = plan_flags(drifted, {"PERCENTAGE": "10"}, document=Document(KEY))
    assert again.changed
    assert again.differing(drifted) == [KEY]
    assert not plan_flags(drifted, {}, document=Document(KEY)).changed, "nobody asked for a flag"

    meanwhile = {**plan.after, "BY_HAND": "3"}
    meanwhile[KEY] = Document(KEY).render(meanwhile)
    assert plan.differing(FlagsMap("feature-flags", exists=True, data=meanwhile)) == []
