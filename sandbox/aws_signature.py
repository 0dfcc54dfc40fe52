# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS Signature Version 4 for a request without body or query: all the supervisor asks of S3.

By hand because the library costs a fifth of a second and 25 MB in a process that stays.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from dataclasses import dataclass

_EMPTY = hashlib.sha256(b"").hexdigest()
_SIGNED = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str
    region: str


def signed_headers(
    credentials: Credentials, method: str, host: str, path: str, now: datetime.datetime
) -> dict[str, str]:
    """The headers that authenticate `method path` at `host` (with its port) at `now` (UTC)."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    headers = f"host:{host}\nx-amz-content-sha256:{_EMPTY}\nx-amz-date:{stamp}\n"
    request = f"{method}\n{path}\n\n{headers}\n{_SIGNED}\n{_EMPTY}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return {
        "x-amz-date": stamp,
        "x-amz-content-sha256": _EMPTY,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={_SIGNED}, Signature={signature}",
    }
