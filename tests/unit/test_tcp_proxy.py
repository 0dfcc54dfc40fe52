"""The proxy that integration tests use for bad networks does what it says."""

import contextlib
import socket
import socketserver
import threading
import typing as t

import pytest

from tests.fakes.tcp_proxy import HOST, Answer, TcpProxy, cut_after


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while content := self.request.recv(1 << 16):
                self.request.sendall(content)


@pytest.fixture
def proxy() -> t.Iterator[TcpProxy]:
    with socketserver.ThreadingTCPServer((HOST, 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with TcpProxy(*server.server_address) as proxy:
            yield proxy
        server.shutdown()


def exchange(proxy: TcpProxy, content: bytes) -> bytes:
    with socket.create_connection((HOST, proxy.port), timeout=5) as client:
        client.sendall(content)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_what_is_sent_comes_back(proxy):
    content = bytes(range(256)) * 4096
    assert exchange(proxy, content) == content
    assert proxy.connections == 1


def test_a_hook_changes_what_comes_down(proxy):
    proxy.down = bytes.upper
    assert exchange(proxy, b"hello") == b"HELLO"


def test_an_answer_is_given_in_the_servers_place(proxy):
    def answer(_chunk: bytes) -> bytes:
        raise Answer(b"no")

    proxy.up = answer
    assert exchange(proxy, b"hello") == b"no"


def test_a_cut_connection_is_reset_and_the_next_one_works(proxy):
    proxy.up = cut_after(3)
    with pytest.raises(ConnectionError):
        exchange(proxy, b"hello")
    assert exchange(proxy, b"hello") == b"hello"


def test_all_connections_can_be_cut_and_refused(proxy):
    with socket.create_connection((HOST, proxy.port), timeout=5) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        proxy.cut()
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
    proxy.refusing = True
    with pytest.raises(ConnectionError):
        exchange(proxy, b"hello")
