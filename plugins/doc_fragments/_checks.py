# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of checks, from the files that look. So modules take the place of a link to this file from them."""

from __future__ import annotations

from ..module_utils._checks import task  # noqa: F401 - the kinds add their fragments
from ..module_utils._module import ADDED


class ModuleDocFragment:
    DOCUMENTATION: str = ADDED["_checks"]
    PREFLIGHT: str = ADDED["_checks.preflight"]
    SMOKE_TESTS: str = ADDED["_checks.smoke_tests"]
