import ast
import signal
import socket
import typing as t
from pathlib import Path

import pytest

import sandbox
from sandbox import cli
from sandbox.commands import clear_faults, listing, parse, set_fault
from sandbox.errors import SandboxError, sentence
from sandbox.faults import Fault, Faults
from sandbox.postgres.component import missing_libraries
from sandbox.processes import Phase, note
from sandbox.world import World


@pytest.fixture(autouse=True)
def _signals() -> t.Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def _listening() -> tuple[socket.socket, int]:
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]


@pytest.mark.parametrize(("words", "said"), [
    (["up", "--only", "nope"], "no component 'nope'"),
    (["up", "--port", "postgres"], "not NAME=N"),
    (["up", "--port", "postgres=0"], "not NAME=N"),
    (["up", "--port", "postgers=5432"], "No component listens on a port named 'postgers'"),
    (["up", "--port", "kafka=9092"], "No component listens on a port named 'kafka'"),
    (["up", "--only", "valkey", "--port", "node=10250"], "'node': choose from valkey"),
    (["up", "--port", "postgres=23456", "--port", "valkey=23456"], "asked for by both"),
    (["up", "--seed-mb", "x"], "'x' is not a number"),
    (["up", "--nodes", "0"], "'0' is not a number from 1 to 50"),
    (["frobnicate"], "invalid choice: 'frobnicate'"),
    ([], "COMMAND"),
    (["logs", "valkey"], "No sandbox is up"),
    (["env"], "No sandbox is up"),
    (["fault", "set", "valkey.paused"], "No sandbox is up"),
    (["fault", "set", "valkey.nope"], "no fault 'nope'"),
    (["fault", "set", "nope.paused"], "no component 'nope'"),
    (["fault", "set", "sinks.hangs", "secs=3"], "no parameter 'secs': it takes seconds"),
    (["fault", "set", "sinks.hangs", "seconds=x"], "seconds='x' of the fault 'sinks.hangs' is not"),
    (["fault", "set", "node.oom", "existing=1"], "is not true or false"),
    (["fault", "set", "valkey.paused", "x=1"], "it takes none"),
    (["fault", "set", "kafka.killed"], "no fault 'killed': choose from down, paused"),
    (["fault", "set", "valkey.paused", "a", "b"], "one target"),
    (["fault", "clear"], "No sandbox is up"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)  # fmt: skip
def test_an_error_is_one_sentence_and_touches_nothing(words, said, tmp_path, capsys):
    state = tmp_path / "state"
    assert cli.main(["--state", str(state), *words]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert not state.exists()


def test_a_port_in_use_is_named_with_what_to_do(tmp_path, capsys):
    listener, port = _listening()
    with listener:
        assert cli.main(["--state", str(tmp_path), "up", "--port", f"valkey={port}"]) == 1
    assert f"Port {port}" in (said := capsys.readouterr().err)
    assert "choose another" in said


@pytest.mark.parametrize("words", [["--state", "X", "status"], ["status", "--state", "X"]])
def test_the_state_folder_may_stand_before_or_behind_the_command(words, capsys):
    assert cli.main(words) == 1
    assert f"in {Path('X').resolve()}" in capsys.readouterr().out


def test_the_entry_can_be_read_by_an_old_python():
    source = Path(sandbox.__file__).with_name("__main__.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 9))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "x", "/full"), "No space left on device at /full: free some space"),
        (PermissionError(13, "x", "/root/x"), "Permission denied at /root/x: choose a folder"),
        (SandboxError("As it is."), "As it is."),
        (KeyError("x"), "KeyError: 'x'."),
        (RuntimeError("two\nlines"), "RuntimeError: two."),
    ],
)
def test_every_exception_has_a_sentence(error, said):
    assert sentence(error).startswith(said)


def test_missing_libraries_are_read_from_ldd():
    output = (
        "/x/psql:\n\tlibz.so.1 => /lib/libz.so.1 (0x0)\n\tlibxml2.so.2 => not found\n"
        "/x/postgres:\n\tlibxml2.so.2 => not found\n\tlinux-vdso.so.1 (0x0)\n"
    )
    assert missing_libraries(output) == ["libxml2.so.2"]


def test_a_fault_is_read_with_target_and_parameters():
    fault = parse("sinks.rate-limited", ["slack", "seconds=3"])
    assert fault == Fault("sinks", "rate-limited", "slack", {"seconds": "3"})


@pytest.fixture
def world(tmp_path) -> World:
    """One in which the sinks are up as far as the state tells."""
    world = World(tmp_path)
    note(world, "sinks", Phase.READY, process=None, seconds=0)
    return world


def test_faults_are_set_replaced_and_cleared(world):
    slack = Fault("sinks", "errors", "slack")
    for fault in (slack, Fault("sinks", "errors"), Fault("sinks", "errors", "slack", {"a": "1"})):
        set_fault(world, fault)
    faults = Faults(world.faults_file)
    assert [(fault.target, fault.parameters) for fault in faults.all()] == [
        ("", {}),
        ("slack", {"a": "1"}),
    ]
    assert "sinks.errors slack a=1" in listing(world)

    clear_faults(world, "sinks.errors", "slack")
    assert [fault.target for fault in faults.all()] == [""]
    assert clear_faults(world, "", "") == "1 fault cleared."
    assert faults.all() == ()
    with pytest.raises(SandboxError, match="not set"):
        clear_faults(world, "sinks.errors", "")


def test_a_fault_of_what_is_not_up_is_refused(world):
    with pytest.raises(SandboxError, match=r"'valkey'.*sinks"):
        set_fault(world, Fault("valkey", "paused"))
