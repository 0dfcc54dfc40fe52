# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from sandbox.kubernetes.defaulting import default_lease
from sandbox.kubernetes.errors import ApiError


def test_a_lease_s_times_are_written_in_utc():
    lease = {"spec": {"renewTime": "2026-11-24T11:00:00.000001+02:00", "acquireTime": None}}
    default_lease(lease)
    assert lease["spec"]["renewTime"] == "2026-11-24T09:00:00.000001Z"


def test_a_lease_s_time_without_its_microseconds_is_refused():
    with pytest.raises(ApiError, match=r'cannot parse "Z" as ".000000"') as caught:
        default_lease({"spec": {"renewTime": "2026-11-24T09:00:00Z"}})
    assert caught.value.status == 400
