import subprocess
import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.pods import (
    ENVIRONMENT,
    VOLUME,
    FlagsProbe,
    to_probe,
)
from tests.fakes.cluster import MemoryCluster
from tests.tables import cases

HTTP = {"port": 8080, "path": "/flags", "scheme": "http"}


def read(answer: str, values: str = "@") -> t.Mapping[str, str]:
    cluster = MemoryCluster()
    cluster.answers = {"p": answer}
    return FlagsProbe.from_options({"http": HTTP, "values": values}).ask(cluster, "p", "c", [])


@cases(
    ("answer", "values", "flags"),
    {
        "types": ('{"A": true, "B": 10, "C": "x"}', "@", {"A": "true", "B": "10", "C": "x"}),
        "floats": ('{"A": 1.0, "B": 1.5}', "@", {"A": "1", "B": "1.5"}),
        "null": ('{"A": null}', "@", {}),
        "path": ('{"flags": {"A": false}}', "flags", {"A": "false"}),
        "renamed": ('{"agents": {"on": true}}', "{A: agents.on}", {"A": "true"}),
        "missing": ('{"agents": {}}', "{A: agents.on}", {}),
    },
)
def test_what_an_answer_says(answer, values, flags):
    assert read(answer, values) == flags


@pytest.mark.parametrize(
    ("answer", "values", "words"),
    [("<html>secret", "@", "no JSON"), ("[]", "@", "no flags"), ("{}", "flags", "no flags")],
)
def test_an_answer_that_says_nothing_is_an_error(answer, values, words):
    with pytest.raises(RefusedError, match=words) as raised:
        read(answer, values)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"http": HTTP, "files": "/x"}, "more than one"),
        ({"values": "[[["}, "not JMESPath"),
        ({"files": "flags"}, "full path"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        FlagsProbe.from_options(options)


def test_a_volume_needs_more_than_the_environment():
    assert to_probe(ENVIRONMENT, None).asks_environment
    with pytest.raises(InputError, match="must be asked what they run"):
        to_probe(VOLUME, {"values": "@"})


def test_files_are_the_weaker_proof_and_say_so():
    assert "does not prove" in to_probe(VOLUME, {"files": "/etc/flags"}).weakness
    assert to_probe(VOLUME, {"http": HTTP}).weakness == ""


def test_files_are_read_as_they_are_there(tmp_path):
    (tmp_path / "A").write_text("true")
    (tmp_path / "B").write_text("two words\n")

    class Shell(MemoryCluster):
        def execute(self, pod: str, container: str, command: t.Sequence[str]) -> str:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    probe = FlagsProbe.from_options({"files": f"{tmp_path}/"})
    assert probe.ask(Shell(), "p", "c", ["A", "B", "C"]) == {"A": "true", "B": "two words"}
