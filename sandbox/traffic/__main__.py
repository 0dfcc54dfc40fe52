# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox.traffic start|stop|report`, where the sandbox's own command line is not wanted."""

from __future__ import annotations

import sys

from sandbox.traffic.cli import main

if __name__ == "__main__":
    sys.exit(main())
