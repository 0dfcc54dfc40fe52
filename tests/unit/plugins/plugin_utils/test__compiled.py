"""Templates stay compiled between the forks of a run."""

import os

import jinja2
import pytest
from ansible._internal._templating._jinja_bits import AnsibleEnvironment
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.easymo.deploy.plugins.plugin_utils import _compiled


@pytest.fixture
def compiled(monkeypatch) -> list[str]:
    """The texts that Jinja has compiled."""
    texts: list[str] = []
    compiles = jinja2.Environment.compile

    def counted(self: jinja2.Environment, source: str) -> object:
        texts.append(source)
        return compiles(self, source)

    monkeypatch.setattr(AnsibleEnvironment, "compile", counted)
    conditions = AnsibleEnvironment.compile_expression
    monkeypatch.setattr(AnsibleEnvironment, "compile_expression", conditions)
    return texts


def rendered(text: str, **variables: object) -> object:
    """By a new environment, as each task has one."""
    return Templar(DataLoader(), variables).template(trust_as_template(text))


def test_a_text_is_compiled_once_and_rendered_with_the_values_of_each_task(compiled):
    _compiled.CompiledTemplates().install()
    _compiled.CompiledTemplates().install()
    assert [rendered("{{ x + 1 }}", x=number) for number in (1, 2)] == [2, 3]
    assert compiled == ["{{ x + 1 }}"]


def test_a_condition_is_compiled_once_and_decided_for_each_task(compiled):
    _compiled.CompiledTemplates().install()
    conditions = [Templar(DataLoader(), {"x": number}) for number in (1, 2)]
    text = trust_as_template("x > 1")
    assert [each.evaluate_conditional(text) for each in conditions] == [False, True]
    assert len(compiled) == 1


def test_what_decides_its_code_otherwise_is_compiled_by_itself(compiled):
    _compiled.CompiledTemplates().install()
    text = "#jinja2:variable_start_string:'[[', variable_end_string:']]'\n[[ 1 ]]{{ 2 }}"
    assert (rendered("[[ 1 ]]{{ 2 }}"), rendered(text)) == ("[[ 1 ]]2", "1{{ 2 }}")
    assert compiled == ["[[ 1 ]]{{ 2 }}"] * 2


def test_a_text_that_is_wrong_stays_wrong(compiled):
    _compiled.CompiledTemplates().install()
    for _each in range(2):
        with pytest.raises(Exception, match="Syntax error"):
            rendered("{{ 1 + }}")
    assert len(compiled) == 2


def test_a_fork_leaves_what_it_has_compiled_to_the_run(compiled):
    templates = _compiled.CompiledTemplates()
    templates.install()
    for number in (1, 2):
        if (pid := os.fork()) == 0:
            rendered(f"{{{{ {number} }}}}")
            os._exit(0)
        os.waitpid(pid, 0)
        templates.take()
    os.write(templates._left, b"\xe3")  # another that begins
    templates.take()
    assert len(templates.known) == 2
    assert [rendered("{{ 1 }}"), rendered("{{ 2 }}")] == [1, 2]
    assert compiled == []
