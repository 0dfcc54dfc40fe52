# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Runs a program in a container of a pod, over the websocket that the API offers for it."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ._kubernetes_calls import CONNECT_TIMEOUT
from ._kubernetes_client import KUBERNETES

with KUBERNETES:
    import websocket
    from kubernetes.client.exceptions import ApiException
    from kubernetes.stream.ws_client import ERROR_CHANNEL, WSClient, get_websocket_url

RUN_TIMEOUT = 30.0
OUT_OF_TIME = 124
"""The exit code, as timeout(1) has it, of a program that did not end within RUN_TIMEOUT."""


NOT_STARTED = 126
"""That of a shell for a program that cannot be run."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def run_in_container(
    api_client: t.Any, pod_path: str, container: str, command: t.Sequence[str]
) -> Ended:
    """`pod_path`: the pod's path in the API. Raises the client's ApiException, with status 0 for a lost connection."""
    query = [
        *(("command", word) for word in command),
        ("container", container),
        *(("stdout", "true"), ("stderr", "true")),
    ]
    headers: dict[str, str] = {}
    path = f"{pod_path}/exec"
    api_client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
    url = get_websocket_url(f"{api_client.configuration.host}{path}", query)
    # The client would wait for the handshake for ever, and has no other way to be told.
    websocket.setdefaulttimeout(CONNECT_TIMEOUT)
    try:
        session = WSClient(api_client.configuration, url, headers, capture_all=True)
        session.run_forever(timeout=RUN_TIMEOUT)
        if session.is_open():
            code, why = OUT_OF_TIME, ""
        else:
            code, why = exit_of(session.read_channel(ERROR_CHANNEL))
        ended = Ended(code, session.read_stdout(), session.read_stderr() or why)
        session.close()
    except websocket.WebSocketBadStatusException as exc:
        refused = ApiException(status=exc.status_code, reason=str(exc))
        refused.body = exc.resp_body
        raise refused from None
    except websocket.WebSocketException as exc:
        raise ApiException(status=0, reason=str(exc)) from None
    return ended


def exit_of(status: str) -> tuple[int, str]:
    """The exit code in the Status at the end, and why there is none of a program that did not start.

    Raises the client's ApiException where the connection ended before the program. Source: remotecommand.go of
    k8s.io/kubelet, by which a code is a cause with the reason ExitCode.
    """
    try:
        body = json.loads(status)
        if body["status"] == "Success":
            return 0, ""
        causes = (body.get("details") or {}).get("causes") or ()
        codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
    except (ValueError, KeyError, TypeError):
        raise ApiException(status=0, reason="the connection ended before the program") from None
    return (codes[0], "") if codes else (NOT_STARTED, str(body.get("message", "")))
