"""Up, whatever dies, down: nothing is left. Each test has a sandbox of its own with light components."""

import json
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import psutil
import pytest

from sandbox.faults import Faults
from sandbox.processes import RUN_VARIABLE, Phase, records, start_ticks
from sandbox.world import World
from tests.waiting import until

CHECKOUT = Path(__file__).parents[2]
CACHE = CHECKOUT / ".sandbox" / "cache"
LIGHT = "postgres,valkey,kafka"


class Sandbox:
    """The command line on one state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.run_folder = state / "run"

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sandbox", "--state", str(self.state), *words],
            cwd=CHECKOUT,
            env={**os.environ, "EASYMO_SANDBOX_CACHE": str(CACHE), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def succeeds(self, *words: str) -> str:
        answer = self(*words)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def fails(self, *words: str) -> str:
        answer = self(*words)
        assert answer.returncode == 1, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
        return answer.stderr

    def status(self) -> dict[str, t.Any]:
        return json.loads(self("status", "--json").stdout)["components"]

    def pid(self, name: str) -> int:
        return self.status()[name]["pid"]

    def processes(self) -> list[int]:
        """Every process that carries the marker or lives in the run folder, found without the sandbox."""
        return [pid for pid in psutil.pids() if start_ticks(pid) and self._owns(pid)]

    def _owns(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            marked = process.environ().get(RUN_VARIABLE) == str(self.run_folder)
            return bool(marked or process.cwd().startswith(f"{self.run_folder}/"))
        except psutil.Error:
            return False


@pytest.fixture
def sandbox(tmp_path) -> t.Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path / "a state")  # A blank, as a folder may have.
    yield sandbox
    sandbox("down")
    assert sandbox.processes() == []


def test_up_works_twice_and_down_leaves_only_the_cache(sandbox):
    first = sandbox.succeeds("up", "--only", LIGHT, "--seed-mb", "5")
    assert [line.split()[0] for line in first.splitlines()[-1:]] == ["The"]
    assert {"valkey", "postgres", "kafka"} <= {line.split()[0] for line in first.splitlines()}
    assert "already up" in sandbox.succeeds("up", "--only", LIGHT)
    assert sandbox("status").returncode == 0
    assert sandbox.processes()

    sandbox.succeeds("down")

    assert sandbox.processes() == []
    assert not sandbox.run_folder.exists()
    assert "No sandbox is up" in sandbox.succeeds("down")
    assert sandbox("status").returncode == 1


@pytest.mark.parametrize("victim", ["postgres", "supervisor"])
def test_a_kill_is_noticed_and_down_leaves_no_process(sandbox, victim):
    sandbox.succeeds("up", "--only", LIGHT, "--seed-mb", "5")
    os.kill(sandbox.pid(victim), signal.SIGKILL)

    until(lambda: sandbox.status()[victim]["phase"] == "dead")
    assert sandbox("status").returncode == 1
    assert victim in sandbox.fails("up", "--only", LIGHT)
    if victim == "supervisor":
        until(lambda: sandbox.processes() == [])

    sandbox.succeeds("down")
    assert sandbox.processes() == []


def test_whatever_of_the_whole_dies_nothing_is_left(sandbox):
    sandbox.succeeds("up", "--seed-mb", "10")
    components = sandbox.status()
    assert sandbox("status").returncode == 0
    for name in sorted(components):
        os.kill(components[name]["pid"], signal.SIGKILL)
    sandbox.succeeds("down")
    assert sandbox.processes() == []


def test_removing_the_folder_takes_the_sandbox_down(sandbox):
    sandbox.succeeds("up", "--only", "valkey")
    shutil.rmtree(sandbox.run_folder)
    until(lambda: sandbox.processes() == [])
    assert not sandbox.run_folder.exists()


def test_a_paused_component_hangs_and_goes_on(sandbox):
    sandbox.succeeds("up", "--only", "valkey")
    before = sandbox.pid("valkey")
    sandbox.succeeds("fault", "set", "valkey.paused")
    assert psutil.Process(before).status() == psutil.STATUS_STOPPED
    assert sandbox.status()["valkey"]["phase"] == "paused"
    sandbox.succeeds("fault", "clear", "valkey.paused")
    assert sandbox.status()["valkey"] | {"seconds": 0, "memory_mb": 0} == {
        "phase": "ready",
        "pid": before,
        "seconds": 0,
        "memory_mb": 0,
        "why": "",
    }


def test_a_killed_component_is_back_once_the_fault_is_cleared(sandbox):
    sandbox.succeeds("up", "--only", LIGHT, "--seed-mb", "5")
    for name in ("postgres", "valkey"):
        before = sandbox.pid(name)
        sandbox.succeeds("fault", "set", f"{name}.killed")
        assert sandbox.status()[name]["phase"] == "killed"
        # Cleared and set again before it is up, it is killed while it starts.
        Faults(World(sandbox.state).faults_file).write([])
        until(lambda name=name: sandbox.status()[name]["phase"] != "killed")
        sandbox.succeeds("fault", "set", f"{name}.killed")
        sandbox.succeeds("fault", "clear", f"{name}.killed")
        assert sandbox.status()[name]["phase"] == "ready"
        assert sandbox.pid(name) != before


def test_the_cluster_comes_back_with_all_it_held(sandbox):
    sandbox.succeeds("up", "--only", "kubernetes")
    kubeconfig = sandbox.run_folder / "kubernetes" / "kubeconfig"
    kubectl = [str(Path(sys.executable).with_name("kubectl")), f"--kubeconfig={kubeconfig}"]
    manifest = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}})
    subprocess.run([*kubectl, "apply", "-f", "-"], input=manifest, text=True, check=True)

    def get() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*kubectl, "get", "configmap", "kept"], check=False, capture_output=True, text=True
        )

    sandbox.succeeds("fault", "set", "kubernetes.down")
    until(lambda: "refused" in get().stderr)
    sandbox.succeeds("fault", "clear")
    until(lambda: get().returncode == 0)


def test_an_up_that_asks_for_something_else_is_refused(sandbox):
    sandbox.succeeds("up", "--only", "valkey")
    port = json.loads((sandbox.run_folder / "state.json").read_text())["ports"]["valkey"]
    assert "already up" in sandbox.succeeds("up", "--only", "valkey", "--port", f"valkey={port}")
    said = sandbox.fails("up", "--only", "valkey", "--port", f"valkey={port + 1}")
    assert f"on port {port} and not {port + 1}" in said
    assert "--seed-mb 50 and not 7" in sandbox.fails("up", "--only", "valkey", "--seed-mb", "7")
    assert "--nodes 1 and not 2" in sandbox.fails("up", "--only", "valkey", "--nodes", "2")


def test_spoilt_faults_end_nothing_and_are_cleared(sandbox):
    sandbox.succeeds("up", "--only", "valkey")
    (sandbox.run_folder / "faults.json").write_text("?")
    assert "fault clear" in sandbox.fails("fault", "set", "valkey.paused")
    assert sandbox("status").returncode == 0
    sandbox.succeeds("fault", "clear")
    # Nor does it keep a sandbox from being taken down.
    sandbox.succeeds("fault", "set", "valkey.paused")


def test_two_ups_at_once_make_one_sandbox(sandbox):
    argv = [sys.executable, "-m", "sandbox", "--state", str(sandbox.state), "up"]
    both = [
        subprocess.Popen(
            [*argv, "--only", "valkey"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("is up in" in text for text in said) == 1
    assert sum("already up" in text for text in said) == 1


def test_an_interrupted_up_leaves_nothing(sandbox):
    argv = [sys.executable, "-m", "sandbox", "--state", str(sandbox.state), "up"]
    up = subprocess.Popen(
        [*argv, "--only", "seaweedfs,valkey"],
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores SIGINT for what it runs in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    def starting() -> bool:
        seaweedfs = records(World(sandbox.state)).get("seaweedfs")
        return seaweedfs is not None and seaweedfs.phase is Phase.STARTING

    # SeaweedFS takes seconds to start; one that is looked at by a command might be ready when the interruption comes.
    until(starting)
    up.send_signal(signal.SIGINT)
    assert "taken down" in up.communicate(timeout=120)[1]
    assert up.returncode == 1
    assert sandbox.processes() == []


def test_a_damaged_state_is_named_and_down_clears_it(sandbox):
    sandbox.succeeds("up", "--only", "valkey")
    for damaged in ("{", "[]"):
        (sandbox.run_folder / "state.json").write_text(damaged)
        for command in ("up", "status", "env"):
            assert "no JSON object" in sandbox.fails(command)
    sandbox.succeeds("down")
    assert sandbox.processes() == []


def test_what_a_crash_left_is_named_with_the_cure(sandbox):
    sandbox.run_folder.mkdir(parents=True)
    said = sandbox.fails("up", "--only", "valkey")
    assert "lost its supervisor" in said
    assert "down" in said


def test_env_reaches_the_databases_and_has_kubectl(sandbox):
    sandbox.succeeds("up", "--only", "postgres", "--seed-mb", "5")
    script = (
        f'eval "$({sys.executable} -m sandbox --state {shlex.quote(str(sandbox.state))} env)"\n'
        "psql -Atc 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'\n"
        "psql -U easymo_admin -d agent_core_prod -Atc 'SELECT current_user'\n"
        "PGSSLMODE=disable psql -Atc 'SELECT 1' 2>&1\n"
        "kubectl version --client\n"
    )
    said = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": os.defpath},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert said[:2] == ["t", "easymo_admin"]
    assert "no encryption" in said[2]
    assert said[3].startswith("Client Version: ")


def test_no_secret_stands_in_a_command_line(sandbox):
    sandbox.succeeds("up", "--only", f"{LIGHT},seaweedfs", "--seed-mb", "5")
    secrets = json.loads((sandbox.run_folder / "state.json").read_text())["secrets"].values()
    assert oct((sandbox.run_folder / "state.json").stat().st_mode & 0o777) == "0o600"
    for pid in sandbox.processes():
        words = " ".join(psutil.Process(pid).cmdline())
        assert not any(secret in words for secret in secrets)


@pytest.mark.root
def test_root_needs_no_folder_that_others_may_enter(tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    sandbox = Sandbox(hidden / "state")
    answer = sandbox("up", "--only", "postgres", "--seed-mb", "5", EASYMO_SANDBOX_CACHE="")
    try:
        assert answer.returncode == 0, answer.stderr
        owner = (sandbox.run_folder / "postgres" / "data").stat().st_uid
        assert owner == 0, "the server runs as root under another name"
    finally:
        sandbox("down")
    assert sandbox.processes() == []


@pytest.mark.root
def test_a_normal_user_has_a_sandbox_too():
    """As nobody, who owns nothing here, with a copy of the package and our Python by its path."""
    nobody = pwd.getpwnam("nobody")
    home = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    try:
        shutil.copytree(CHECKOUT / "sandbox", home / "sandbox")
        for path in (home, *home.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)

        def sandbox(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "sandbox", "--state", str(home / "state"), *words],
                cwd=home,
                env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
                user=nobody.pw_uid,
                group=nobody.pw_gid,
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )

        probe = sandbox("--help")
        if probe.returncode != 0:
            pytest.skip(f"nobody cannot run {sys.executable}: {probe.stderr[-200:]}")
        answer = sandbox("up", "--only", f"{LIGHT},seaweedfs,exporters", "--seed-mb", "5")
        try:
            assert answer.returncode == 0, answer.stdout + answer.stderr
            assert sandbox("status").returncode == 0
        finally:
            assert sandbox("down").returncode == 0
        assert Sandbox(home / "state").processes() == []
    finally:
        shutil.rmtree(home)
