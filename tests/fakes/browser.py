# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in a headless Chromium: what its layout engine makes of them, light or dark, at any width.

The pages forbid scripts, so a page around them looks into frames of the widths that are asked for.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
WITHIN = 180
SCHEMES = {"dark": 0, "light": 1}

PROBE = """
function luminance(colour) {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(view, element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = view.getComputedStyle(at).backgroundColor;
    if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
  }
  return "rgb(255, 255, 255)";
}
function faint(view) {
  const found = new Set();
  for (const element of view.document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || ["title", "desc"].includes(element.tagName)) continue;
    const style = view.getComputedStyle(element);
    const colour = element instanceof view.SVGElement ? style.fill : style.color;
    const [low, high] = [luminance(colour), luminance(behind(view, element))].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.add(element.textContent.trim().slice(0, 30) + " " + ratio.toFixed(2));
  }
  return [...found].slice(0, 5);
}
function seen(frame) {
  const view = frame.contentWindow, page = view.document;
  const all = selector => [...page.querySelectorAll(selector)];
  const wide = all("body *").filter(one => one.getBoundingClientRect().right > view.innerWidth + 0.5);
  return {
    name: frame.name, width: view.innerWidth, scroll: page.documentElement.scrollWidth,
    wide: wide.slice(0, 5).map(one => one.tagName + "." + one.getAttribute("class")),
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    background: luminance(view.getComputedStyle(page.body).backgroundColor),
    faint: faint(view), headings: all("h1, h2, h3").map(one => one.tagName),
    unscoped: all("th:not([scope])").length, plots: all("svg").length,
    untold: all("svg").filter(one => !["title", "desc"].every(name => one.querySelector(name).textContent)).length,
    bars: all(".track i:not(.tick):not(.cut)").map(one => one.getBoundingClientRect().width),
    strange: all("script, img, iframe, object, link").length,
  };
}
addEventListener("load", () => {
  document.getElementById("seen").textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(seen));
});
"""


def browser() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def look(
    pages: t.Mapping[str, str], widths: t.Sequence[int], scheme: str, folder: Path
) -> list[dict[str, t.Any]]:
    """What is seen of each page at each width."""
    frames = "".join(
        f'<iframe name="{name}" style="width: {width}px; height: 900px; border: 0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.items()
        for width in widths
    )
    around = folder / f"{scheme}.html"
    around.write_text(
        f'<meta charset="utf-8"><script>{PROBE}</script>{frames}<pre id="seen"></pre>',
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            str(browser()), "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={folder / 'profile'}", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            "--virtual-time-budget=20000", "--dump-dom", around.as_uri(),
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN, check=False,
    )  # fmt: skip
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, re.S)
    assert found, (
        f"{browser()} ended with {done.returncode} and showed nothing: {done.stderr[-1000:]}"
    )
    seen: list[dict[str, t.Any]] = json.loads(html.unescape(found[1]))
    return seen
