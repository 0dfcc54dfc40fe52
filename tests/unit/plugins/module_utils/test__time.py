from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils import _time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-24T06:00:00Z", 1795500000.0),
        ("2026-11-24T06:00:00.250Z", 1795500000.25),
        ("2026-11-24T06:00:00.123456+00:00", 1795500000.123456),
        ("2026-11-24T09:00:00+03:00", 1795500000.0),
        ("2026-11-24T06:00:00", 1795500000.0),
        ("0001-01-01T00:00:00+14:00", None),
        ("soon", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_time_is_read_from_whoever_wrote_it(text, seconds):
    assert _time.epoch(text) == seconds
    found = _time.parse_time(text)
    assert (found and found.utcoffset()) == (None if seconds is None else timedelta(0))


def test_a_time_without_zone_is_refused_where_one_is_needed():
    with pytest.raises(ValueError, match="no time zone"):
        _time.read_time("2026-11-24T06:00:00", zone=None)


def test_times_are_written_in_utc():
    nairobi = timezone(timedelta(hours=3))
    noon = datetime(2026, 11, 24, 12, 0, 0, 999_999, tzinfo=nairobi)
    assert _time.format_time(noon) == "2026-11-24T09:00:00Z"
    for written in (_time.utc_now(), _time.utc_milliseconds()):
        assert written.endswith("Z")
        assert abs(_time.read_time(written) - _time.now()) < timedelta(minutes=1)
