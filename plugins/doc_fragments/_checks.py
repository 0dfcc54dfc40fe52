# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of checks, which stand beside the code of each kind. Modules read them there, not by a link to here."""

from __future__ import annotations

from ..module_utils._checks import task  # noqa: F401 - the kinds add their fragments
from ..module_utils._module import ADDED


class ModuleDocFragment:
    DOCUMENTATION: str = ADDED["_checks"]
    PREFLIGHT: str = ADDED["_checks.preflight"]
    SMOKE_TESTS: str = ADDED["_checks.smoke_tests"]
