# SPDX-License-Identifier: GPL-3.0-or-later
"""The few lines of a live page that its reader's browser runs: news that stays out is told, and open folds stay open.

The page allows this script by its hash, and no other.
"""

from __future__ import annotations

import base64
import hashlib

QUIET_MS = 120_000
"""So long without another page, and its run has died or lost the place it writes to."""
SCRIPT = f"""
const live = document.querySelector(".live"), key = "open " + location.pathname;
const folds = () => [...document.querySelectorAll("details[id]")];
const look = () => {{
  document.querySelector(".stale").hidden = Date.now() - 1000 * live.dataset.written < {QUIET_MS};
}};
try {{
  const open = JSON.parse(sessionStorage.getItem(key) || "[]");
  folds().forEach(fold => {{ fold.open = fold.open || open.includes(fold.id); }});
  addEventListener("pagehide", () => sessionStorage.setItem(key,
    JSON.stringify(folds().filter(fold => fold.open).map(fold => fold.id))));
}} catch (refused) {{ /* a reader without storage opens them again */ }}
look();
setInterval(look, 1000);
"""
SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
