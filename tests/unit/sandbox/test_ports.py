"""Which port of this machine is meant where a pod's is named."""

import pytest

from sandbox.ports import listening, reached, seen_from_pod

POD = "127.30.0.4"


def test_only_ports_that_root_alone_may_bind_move():
    assert [listening(port) for port in (80, 1023, 1024, 8080)] == [61080, 62023, 1024, 8080]
    assert reached(f"{POD}:443") == f"{POD}:61443"


@pytest.mark.parametrize(
    ("word", "seen"),
    {
        "its localhost": ("localhost:80", f"{POD}:61080"),
        "a port of its own that anybody binds": ("127.0.0.1:8080", f"{POD}:8080"),
        "HTTP's port": ("curl 'http://localhost/x'", f"curl 'http://{POD}:61080/x'"),
        "its address": (f"http://{POD}:80/", f"http://{POD}:61080/"),
        "another pod": ("http://127.30.0.5/", "http://127.30.0.5:61080/"),
        "what this machine serves": (
            "postgresql://a@127.0.0.1:5432/b",
            "postgresql://a@127.0.0.1:5432/b",
        ),
        "another host": ("http://my-localhost:80/", "http://my-localhost:80/"),
        "no port": ("localhost", "localhost"),
    }.values(),
)
def test_a_command_of_a_pod_means_its_ports(word, seen):
    assert seen_from_pod(word, POD, {80, 8080}) == seen
