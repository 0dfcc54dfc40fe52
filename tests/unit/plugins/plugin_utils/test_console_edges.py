"""Where the console meets Ansible and the machine: what was typed, whose a task is, which failure is a defect."""

import stat
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict

from ansible_collections.easymo.deploy.plugins.callback.console import CallbackModule
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._terminal.models import Task, TaskEnded
from ansible_collections.easymo.deploy.plugins.plugin_utils import _run_events, _screen
from ansible_collections.easymo.deploy.plugins.plugin_utils._process import (
    extra_variables,
    program,
)
from ansible_collections.easymo.deploy.plugins.plugin_utils._run_events import observing
from ansible_collections.easymo.deploy.plugins.plugin_utils._screen import (
    LiveScreen,
    write_failures,
)

ROOT = Path(__file__).parents[4]
SECRET = "hunter2-hunter2"


def test_nothing_is_drawn_while_somebody_is_asked():
    drawn: list[str] = []
    lock = threading.RLock()
    run = SimpleNamespace(
        silent=False, _over=False, _verbose=False, _lock=threading.RLock(), _redact=str,
        _display=SimpleNamespace(_lock=lock), _screen=SimpleNamespace(live=True, draw=drawn.append),
        _console=SimpleNamespace(live=SimpleNamespace(text=lambda _now: "a task")),
    )  # fmt: skip
    with lock, ThreadPoolExecutor(1) as beating:
        beating.submit(CallbackModule._beat, run).result(60)
    assert drawn == []
    CallbackModule._beat(run)
    assert drawn == ["    … a task"]


@pytest.mark.parametrize("found", [True, False])
def test_a_command_to_type_has_its_path_where_no_shell_finds_the_program(
    tmp_path, monkeypatch, found
):
    typed = tmp_path / "bin" / "ansible-playbook"
    typed.parent.mkdir()
    typed.touch(0o755)
    monkeypatch.setattr("sys.argv", [str(typed), "deploy.yml"])
    monkeypatch.setenv("PATH", str(typed.parent if found else tmp_path))
    assert program() == ("ansible-playbook" if found else str(typed))
    monkeypatch.chdir(tmp_path)
    assert program() == ("ansible-playbook" if found else "bin/ansible-playbook")


@pytest.mark.parametrize(
    ("typed", "shown", "hidden"),
    [
        pytest.param(["reason='a b'"], ["reason='a b'"], [], id="a sentence"),
        pytest.param(["@answers.json"], ["@answers.json"], [], id="a file"),
        pytest.param(['{"a": 1}'], ['{"a": 1}'], [], id="a mapping"),
        pytest.param(["secret_token=x"], [], ["secret_token"], id="a secret by its name"),
        pytest.param([f"note={SECRET}"], [], ["note"], id="a secret by its value"),
        pytest.param(['{"db_password": "x", "a": 1}'], [], ["db_password", "a"], id="in a mapping"),
    ],
)
def test_of_extra_variables_all_is_repeated_but_what_may_be_a_secret(
    monkeypatch, typed, shown, hidden
):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(extra_vars=tuple(typed)))
    assert extra_variables(Redactor([SECRET])) == (tuple(shown), tuple(hidden))


@pytest.mark.parametrize(("path", "ours"), [
    (f"{ROOT}/roles/images/tasks/main.yml:3", True),
    (f"{ROOT}/playbooks/collections/ansible_collections/easymo/deploy/roles/images/x.yml:3", True),
    (f"{ROOT}/playbooks/database.yml:3", True),
    (f"{ROOT}/tests/stories/playbooks/x.yml:3", False),
    ("/elsewhere/roles/x/tasks/main.yml:3", False),
    ("", False),
])  # fmt: skip
def test_a_task_is_ours_by_its_file(path, ours):
    task = SimpleNamespace(get_path=lambda: path, implicit=False)
    assert _run_events.is_ours(task) is ours


@pytest.mark.parametrize(
    ("action", "result", "usual"),
    [
        ("easymo.deploy.rollout", {"msg": "x", "reason": "ImageNotFound"}, True),
        ("easymo.deploy.rollout", {"results": [{"failed": True, "reason": "CrashLoop"}]}, True),
        ("easymo.deploy.rollout", {"msg": "x", "reason": "Unexpected"}, False),
        ("easymo.deploy.rollout", {"msg": "'x' is undefined"}, False),
        ("ansible.builtin.fail", {"msg": "no"}, True),
        ("ansible.builtin.command", {"msg": "non-zero return code"}, False),
    ],
)
def test_a_failure_that_no_module_words_is_shown_as_ansible_shows_it(action, result, usual):
    task = SimpleNamespace(resolved_action=action, action=action)
    assert _run_events.expected(SimpleNamespace(task=task, result=result)) is usual


def failure(**result: t.Any) -> TaskEnded:
    return TaskEnded(Task("1", "Roll it", "easymo.deploy.rollout"), "wallet", "failed", result)


def test_the_evidence_of_each_failed_run_is_a_file_of_its_own_without_secrets(tmp_path):
    folder = tmp_path / "report"
    failed = [failure(msg=f"It said {SECRET}.", admin_token="abc", logs={"a": ["x"] * 50})]
    first = write_failures(str(folder), failed, Redactor([SECRET]))
    second = write_failures(str(folder), failed, Redactor([SECRET]))
    assert [Path(one).name for one in (first, second)] == ["failure-1.yml", "failure-2.yml"]
    assert stat.S_IMODE(Path(first).stat().st_mode) == 0o600
    (told,) = yaml.safe_load(Path(first).read_text("utf-8"))
    assert told["result"]["msg"] == "It said ********."
    assert told["result"]["admin_token"] == "********"
    assert len(told["result"]["logs"]["a"]) == 50


def test_two_runs_that_fail_at_once_write_a_file_each(tmp_path):
    def write(_number: int) -> str:
        return write_failures(str(tmp_path), [failure(msg="ключ")], Redactor())

    with ThreadPoolExecutor(8) as runs:
        names = set(runs.map(write, range(40)))
    assert names == {str(tmp_path / f"failure-{number}.yml") for number in range(1, 41)}


def test_evidence_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert write_failures(str(tmp_path / "file"), [failure(msg="x")], Redactor()) == ""
    assert write_failures("", [failure(msg="x")], Redactor()) == ""
    assert write_failures(str(tmp_path), [], Redactor()) == ""


def test_a_callback_that_raises_warns_once_and_is_silent_from_then_on():
    warnings: list[str] = []

    class Callback:
        TITLE, silent, told = "The console callback", False, 0
        _display = SimpleNamespace(warning=warnings.append)

        @observing
        def tell(self, result: dict[str, str]) -> None:
            self.told += 1
            result["missing"]

    callback = Callback()
    for _result in range(3):
        callback.tell({})
    assert callback.told == 1
    assert warnings == [
        "The console callback stopped in tell (KeyError): the run goes on without it."
    ]


class Terminal:
    """Stands for sys.stdout."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


@pytest.fixture
def display(monkeypatch) -> t.Any:
    terminal = Terminal()
    monkeypatch.setattr(_screen, "sys", SimpleNamespace(stdout=terminal))
    return SimpleNamespace(
        _lock=threading.RLock(), terminal=terminal, display=lambda text: terminal.write(f"{text}\n")
    )


def test_the_drawn_line_is_gone_before_whatever_is_printed(display):
    screen = LiveScreen(display, {"TERM": "xterm"})
    screen.draw("… now")
    screen.draw("… now")
    display.display("[WARNING]: careful")
    screen.draw("… later")
    screen.close()
    display.display("end")
    erase = "\r\x1b[K"
    assert display.terminal.text == (
        f"{erase}… now{erase}[WARNING]: careful\n{erase}… later{erase}end\n"
    )


def test_whatever_is_printed_has_no_secret_and_no_command_to_the_terminal(display):
    token = "ghp_" + "a1B2" * 9
    LiveScreen(display, {}, Redactor(["hunter2hunter2"]))
    display.display(
        f"fatal: \x1b[0;31mred\x1b[0m \x1b]0;title\x07\x1b[2J\x9b8m\u202egnp {token} hunter2hunter2\n\tnext"
    )
    assert display.terminal.text == "fatal: \x1b[0;31mred\x1b[0m 8mgnp ******** ********\n\tnext\n"


def test_the_drawn_line_has_the_width_that_the_terminal_has_now(monkeypatch, display):
    screen = LiveScreen(display, {"TERM": "xterm"})
    for columns, most in ((80, 76), (30, 26)):
        monkeypatch.setenv("COLUMNS", str(columns))
        display.terminal.text = ""
        screen.draw("x" * 100)
        assert len(display.terminal.text.removeprefix("\r\x1b[K")) == most


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {}, {"TERM": "xterm", "CI": "true"}])
def test_nothing_is_drawn_anew_where_nobody_looks_at_a_terminal(display, environment):
    LiveScreen(display, environment).draw("… now")
    assert display.terminal.text == ""
