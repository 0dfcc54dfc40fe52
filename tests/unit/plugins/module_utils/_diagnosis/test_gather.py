"""Collectors stand alone: one that fails, breaks or hangs takes nothing from the others."""

import threading

from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.evidence import (
    CollectedPart,
    CollectionLimits,
    Notebook,
    gather,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import UnreachableError
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor


def test_each_tells_what_it_saw_or_why_it_saw_nothing():
    let_go = threading.Event()

    def sees(notes: Notebook) -> None:
        notes.see("not_listed", "s", file="a.txt")

    def refused(_notes: Notebook) -> None:
        raise UnreachableError("The server at pl4nted-secret does not answer.")

    def broken(_notes: Notebook) -> None:
        raise KeyError("metadata")

    def hangs(notes: Notebook) -> None:
        sees(notes)
        let_go.wait(60)

    looks = [(CollectedPart("function", name), look) for name, look in
             (("a", refused), ("b", broken), ("c", hangs), ("d", sees))]  # fmt: skip
    try:
        parts = gather(
            looks, redactor=Redactor(["pl4nted-secret"]), limits=CollectionLimits(seconds=1.0)
        )
    finally:
        let_go.set()
    assert [part.title for part in parts] == ["a", "b", "c", "d"]
    assert parts[0].unseen == ["The server at ******** does not answer."]
    assert parts[1].unseen == ["It stopped with KeyError: 'metadata'"]
    assert "did not finish within 1 s" in parts[2].unseen[0]
    assert [len(part.facts) for part in parts] == [0, 0, 1, 1]
