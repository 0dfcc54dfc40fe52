# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the README's pictures: a release of the sandbox while it runs, its report and what Slack shows of it.

They are what a browser shows of the real pages, so that they can be made again after each change: `make pictures`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox.world import World
from tests.fakes.browser import Browser, browser

FOLDER = ROOT / "docs/pictures"
WIDTH, HEIGHT = 1000, 720
LARGEST = 150_000
"""Bytes of a picture: they are in the repository."""
WATCH, LIVE_FROM = 60, 35
"""Seconds of the watch, and how far it is in the picture of the live page."""
MEASURED = "metrics were good"
"""On the live page from the first look on."""
WITHIN = 600.0
TOP = """(() => {
  document.querySelectorAll("details.thread").forEach(one => { one.open = false; });
  document.querySelector("main").scrollTop = 0;
})()"""
"""Slack at its end shows what was said last; the message that tells all stands first."""
SCREEN = {"COLUMNS": "100", "LOGNAME": "jane", "USER": "jane"}
ANSWERS = {
    "release_smoke_people": True,
    "smoke_tests_answered_by": "Jane Doe",
    "smoke_tests_answers": {"phone": "yes", "dashboard": "yes"},
    "release_watch_duration": WATCH,
}


def main() -> int:
    if browser() is None:
        print(
            "There is no Chromium to take pictures with: apt-get install chromium.", file=sys.stderr
        )
        return 1
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / "sandbox"
        environment = {**os.environ, "EASYMO_SANDBOX_STATE": str(state)}
        try:
            sandbox("up", environment)
            sandbox("traffic start --rate 50", environment)
            live = deploy(state, environment, Path(scratch))
            pages = {
                "live": live.as_uri(),
                "report": (state / "report/2.0.0/report.html").as_uri(),
                "slack": f"{World(state).facts('sinks')['url']}?view=slack&channel=v2-deployment",
            }
            return take(pages, Path(scratch))
        finally:
            sandbox("down", environment)


def sandbox(words: str, environment: t.Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "sandbox", *words.split()]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def deploy(state: Path, environment: t.Mapping[str, str], scratch: Path) -> Path:
    """Release it, and keep the live page as it was in the middle of the watch."""
    page, kept = state / "report/2.0.0/report.html", scratch / "live.html"
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/deploy.yml", "-i", "inventories/sandbox",
        "-e", json.dumps(ANSWERS),
    ]  # fmt: skip
    with (FOLDER / "terminal.txt").open("w", encoding="utf-8") as screen:
        run = subprocess.Popen(command, cwd=ROOT, env={**environment, **SCREEN}, stdout=screen)
    began, end = 0.0, time.monotonic() + WITHIN
    while run.poll() is None and time.monotonic() < end:
        text = page.read_text("utf-8") if page.exists() else ""
        if MEASURED in text:
            began = began or time.monotonic()
        if not kept.exists() and began and time.monotonic() - began >= LIVE_FROM:
            # A picture does not refresh itself, and was written just now.
            kept.write_text(text.replace('http-equiv="refresh"', ""), "utf-8")
        time.sleep(0.2)
    screen_text = (FOLDER / "terminal.txt").read_text("utf-8")
    (FOLDER / "terminal.txt").write_text(screen_text.replace(str(state), ".sandbox"), "utf-8")
    if run.wait(timeout=1) != 0 or not kept.exists():
        raise SystemExit("The release did not go well, so there is nothing to take pictures of.")
    return kept


def take(pages: t.Mapping[str, str], scratch: Path) -> int:
    large = 0
    with Browser(scratch) as opened:
        for name, url in pages.items():
            opened.visit(url, width=WIDTH)
            opened.size(WIDTH, HEIGHT)
            opened.evaluate(TOP)
            picture = opened.picture(WIDTH, height=HEIGHT)
            (FOLDER / f"{name}.png").write_bytes(picture)
            print(f"docs/pictures/{name}.png: {len(picture) / 1000:.0f} kB")
            large += len(picture) > LARGEST
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
