"""A headless Chromium, asked over a pipe by its DevTools protocol: what its layout engine makes of a page.

It is the one on PATH or Debian's, unpacked into the cache. The protocol: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import contextlib
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

from sandbox import cache
from sandbox.errors import SandboxError

NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
PACKAGE = "chromium-headless-shell"
EMOJI = "fonts-noto-color-emoji"
CACHE = Path(__file__).parents[2] / ".cache"
WITHIN = 60.0
FLAGS = (
    *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
    *("--force-color-profile=srgb", "--font-render-hinting=none", "--remote-debugging-pipe"),
)  # fmt: skip

Answer = dict[str, t.Any]


class BrowserError(Exception):
    """What the browser said, or that it said nothing."""


@functools.cache
def browser() -> tuple[str, dict[str, str]] | None:
    """The program and what its environment needs. None where there is none to be had."""
    for name in NAMES:
        if found := shutil.which(name):
            return found, {}
    try:
        root = cache.unpack(CACHE, PACKAGE, dependencies=True)
    except SandboxError:
        return None
    variables = {"LD_LIBRARY_PATH": cache.libraries(root)}
    with contextlib.suppress(SandboxError):  # without it, symbols are boxes
        variables["XDG_DATA_HOME"] = str(cache.unpack(CACHE, EMOJI) / "usr/share")
    return str(root / "usr/lib/chromium" / PACKAGE), variables


class Browser:
    """One process with one page. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        found = browser()
        assert found is not None, "ask browser() first"
        program, environment = found
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        rootless = ["--no-sandbox"] if os.geteuid() == 0 else []

        def place_pipes() -> None:
            # It reads from 3 and writes to 4; a copy keeps one from overwriting the other.
            source, target = os.dup(reads), os.dup(writes)
            os.dup2(source, 3)
            os.dup2(target, 4)

        self._process = subprocess.Popen(
            [program, *FLAGS, *rootless, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=place_pipes, start_new_session=True,
        )  # fmt: skip
        os.close(reads)
        os.close(writes)
        self._number, self._rest, self._session = 0, b"", ""
        self._folder = folder
        targets = self._ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._ask("Page.enable")

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._to)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._from)

    def url(self, page: str) -> str:
        """Of a page of HTML, until the next."""
        file = self._folder / "page.html"
        file.write_text(page, encoding="utf-8")
        return file.as_uri()

    def visit(
        self,
        url: str,
        *,
        width: int,
        scheme: str = "light",
        media: str = "",
        scripts: bool = True,
        policy: bool = False,
    ) -> None:
        """Show it. `media` is for example "print". `policy`: that of the page holds."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", media=media, features=[feature])
        self._ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        # The page's own policy would stop the test's scripts.
        self._ask("Page.setBypassCSP", enabled=scripts and not policy)
        self.size(width, 900)
        self._ask("Page.navigate", url=url)
        self._wait_until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> t.Any:
        """What a script in the page comes to, awaited."""
        done = self._ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in done:
            raise BrowserError(json.dumps(done["exceptionDetails"])[:2000])
        return done["result"].get("value")

    def picture(self, width: int, *, height: int = 0, top: int = 0) -> bytes:
        """A PNG of the page from `top` on; without a height, all the rest of it."""
        whole = int(self.evaluate("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": top, "width": width, "height": height or whole - top, "scale": 1}
        shot = self._ask(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(shot["data"])

    def printed(self) -> bytes:
        """A PDF on A4."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
        return base64.b64decode(self._ask("Page.printToPDF", **paper)["data"])

    def size(self, width: int, height: int) -> None:
        """Of the window, in pixels."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def _wait_until(self, expression: str) -> None:
        end = time.monotonic() + WITHIN
        while time.monotonic() < end:
            with contextlib.suppress(BrowserError):  # the page before is gone, this one not there
                if self.evaluate(expression):
                    return
            time.sleep(0.02)
        raise BrowserError(f"'{expression}' did not come true within {WITHIN:g} s")

    def _ask(self, method: str, **parameters: t.Any) -> Answer:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        self._write(json.dumps(asked).encode() + b"\0")
        end = time.monotonic() + WITHIN
        while True:
            answer = self._next(end)
            if answer.get("id") != self._number:
                continue  # an event
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error'].get('message')}")
            return answer["result"]

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._to, data) :]

    def _next(self, end: float) -> Answer:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(self._from, 1 << 20) if ready else b""
            if not chunk:
                raise BrowserError(f"{browser()} said nothing for {WITHIN:g} s, or ended")
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
