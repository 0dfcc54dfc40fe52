"""A template sees its variables as they are now, however often they were wrapped before."""

import copy

import pytest
from ansible._internal._templating import _jinja_bits
from ansible.module_utils._internal._datatag import AnsibleDatatagBase, _AnsibleTaggedStr
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.easymo.deploy.plugins.plugin_utils import _copies

MANY = {f"name_{number}": number for number in range(_copies.FEW)}


@pytest.fixture
def wrapped(monkeypatch) -> list[dict[str, object]]:
    """The variables that were wrapped, in order."""
    flatten = _jinja_bits._flatten_and_lazify_vars
    monkeypatch.setattr(
        _jinja_bits, "_flatten_and_lazify_vars", getattr(flatten, "__wrapped__", flatten)
    )
    results: list[dict[str, object]] = []

    class Noted(_copies.Wrapped):
        def __init__(self, variables, wrap) -> None:
            results.append(dict(variables))
            super().__init__(variables, wrap)

    monkeypatch.setattr(_copies, "Wrapped", Noted)
    _copies.copy_less()
    _copies.copy_less()
    return results


def test_variables_are_wrapped_once_and_again_when_one_has_changed(wrapped):
    variables = {**MANY, "name": trust_as_template("{{ name_1 + name_2 }}")}
    templar = Templar(loader=DataLoader(), variables=variables)

    def rendered() -> object:
        return templar.template(trust_as_template("{{ name * 10 }}"))

    assert (rendered(), rendered(), len(wrapped)) == (30, 30, 1)
    variables["name_1"] = 5
    assert (rendered(), len(wrapped)) == (70, 2)
    variables["other"] = 1
    assert (rendered(), len(wrapped)) == (70, 3)
    variables["more"] = variables.pop("other")
    assert templar.template(trust_as_template("{{ other is defined }} {{ more }}")) == "False 1"


def test_it_keeps_a_few_sets_of_variables(wrapped):
    for number in range(_copies.KEPT * 2):
        templar = Templar(loader=DataLoader(), variables={**MANY, "of": number})
        assert templar.template(trust_as_template("{{ of }}")) == number
    assert len(wrapped) == _copies.KEPT * 2


def test_few_variables_are_wrapped_as_ever(wrapped):
    templar = Templar(loader=DataLoader(), variables={"name": 1})
    assert templar.template(trust_as_template("{{ name }}")) == 1
    assert wrapped == []


def test_a_copy_of_a_file_may_change_and_has_the_same_texts(tmp_path, monkeypatch):
    for unchangeable in (_AnsibleTaggedStr, AnsibleDatatagBase):
        monkeypatch.delattr(unchangeable, "__deepcopy__", raising=False)
    _copies.copy_less()
    path = tmp_path / "main.yml"
    path.write_text("names: [first, second]\n")
    read = DataLoader().load_from_file(str(path), trusted_as_template=True)
    copied = copy.deepcopy(read)
    assert copied == read
    assert type(copied) is type(read)
    assert copied["names"][0] is read["names"][0]
    copied["names"].append("third")
    assert read["names"] == ["first", "second"]
