# SPDX-License-Identifier: GPL-3.0-or-later
"""How old the newest backup of each database is."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._backup.catalog import read_catalog
from .._backup.plan import newest_per_release
from .._options import s3_options
from .._s3 import BOTO3, S3Bucket
from .models import Finding, Ground, Kind, Options, held, passed
from .options import names

_ATTEMPTS = 2
"""A backup waits for an S3 that is slow; whoever only looks says soon that there is no answer."""


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    bucket = S3Bucket.from_params(options, patience=ground.timeout, attempts=_ATTEMPTS)
    bucket.check()
    found = read_catalog(bucket, prefix=options["prefix"], name=None)
    ages = newest_ages(found.backups, ground.now)
    return [judge(ages, options["names"], options["max_age"], required=options["required"])]


def newest_ages(backups: t.Iterable[t.Any], now: datetime) -> dict[str, int]:
    """Seconds by the name of the database."""
    ages: dict[str, int] = {}
    for backup in newest_per_release(backups):
        name = backup.manifest.name
        ages[name] = min(backup.age(now), ages.get(name, backup.age(now)))
    return ages


def judge(
    ages: t.Mapping[str, int], names: t.Sequence[str], max_age: int, *, required: bool
) -> Finding:
    """The database phase takes a backup itself, so an old one only stops whom it must."""
    told = ", ".join(
        f"{name} {f'{ages[name] // 60} minutes old' if name in ages else 'none yet'}"
        for name in names
    )
    old = [name for name in names if ages.get(name, max_age) >= max_age]
    if old and required:
        return held(
            f"{told}; {', '.join(old)} needs one that is less than {max_age // 60} minutes old: take it"
        )
    consequence = "the database phase takes one unless this release's is recent"
    return passed(f"{told}; {consequence}" if old else told)


KIND = Kind(
    look,
    {
        **s3_options(),
        "names": names(required=True),
        "max_age": {"type": "int", "default": 3600},
        "required": {"type": "bool", "default": False},
    },
    (BOTO3,),
)
