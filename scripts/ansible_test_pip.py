# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a pip bootstrap where ansible-test looks for one before it downloads it.

ansible-test names the file in its own error message: ~/.ansible/test/cache/get_pip_<version>.py, the version being that
of its requirements. A file that is there already is left alone.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

BOOTSTRAP = """
import ensurepip, os, subprocess, sys

ensurepip.bootstrap()
arguments = [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
# ansible-test starts this with a bare environment, so the certificates of the system are named here.
authorities = "/etc/ssl/certs/ca-certificates.crt"
if os.path.exists(authorities):
    arguments += ["--cert", authorities]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", *arguments]))
"""


def pip_version() -> str:
    """The version that ansible-test bootstraps, read from its own source."""
    source = (files("ansible_test") / "_internal/python_requirements.py").read_text()
    body = source[source.index("def get_venv_packages") :]
    found = re.search(r"pip='([\d.]+)'", body) or re.search(r"'pip': '([\d.]+)'", body)
    if found is None:
        raise SystemExit("This ansible-test names no pip version where 2.19 to 2.21 do.")
    return found[1].replace(".", "_")


def main() -> None:
    cache = Path.home() / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"get_pip_{pip_version()}.py"
    if not target.exists():
        target.write_text(BOOTSTRAP.lstrip())


if __name__ == "__main__":
    main()
