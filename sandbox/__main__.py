# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox`. This file alone must be readable by older Pythons, to say that they are too old."""

import sys

if sys.version_info < (3, 12):  # noqa: UP036
    version = ".".join(str(number) for number in sys.version_info[:2])
    sys.exit(
        f"The sandbox needs Python 3.12 or newer, and this is {version}: "
        "run it with a newer one, for example .venv/bin/python."
    )

try:
    from sandbox.cli import main
except ModuleNotFoundError as missing:
    sys.exit(
        f"The sandbox needs the Python package {missing.name}, which {sys.executable} lacks: "
        "install what requirements.lock names, and run it with that Python."
    )

sys.exit(main())
