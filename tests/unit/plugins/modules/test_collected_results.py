import typing as t

from ansible_collections.easymo.deploy.plugins.modules import smoke_tests
from tests.module_runner import run_module

ROW = {"name": "A", "kind": "health", "status": "pass", "seconds": 0.25, "detail": "well"}


def tell(row: dict[str, t.Any]) -> dict[str, t.Any]:
    return run_module(smoke_tests, collected=[row])


def test_results_that_are_there_become_lines():
    assert tell(ROW)["remarks"] == ["✅ A: PASS (well; 0.25 s)"]


def test_what_has_the_form_of_a_secret_is_blanked_out():
    assert "hunter2" not in str(tell({**ROW, "detail": "said password=hunter2"}))


def test_a_result_without_a_name_is_refused():
    assert tell({"status": "pass"})["msg"] == "1 of 1 results have no 'name'."
