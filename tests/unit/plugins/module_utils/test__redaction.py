# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._redaction import redact


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://easymo:hunter2@db.example.com/app",
        "Authorization: Bearer hunter2hunter2",
        "password=hunter2 host=db",
        '{"api_key": "hunter2", "x": 1}',
        "SUPABASE_SERVICE_TOKEN=hunter2",
        "got eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.hunter2 back",
    ],
)
def test_what_looks_like_a_secret_is_blanked(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_the_rest_stays_readable() -> None:
    text = "connect to https://api.example.com failed: 3 tokens left, key missing"
    assert redact(text) == text
