# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
from __future__ import annotations

from textwrap import indent

S3 = r"""bucket:
  description: The bucket. It must exist.
  type: str
  required: true
prefix:
  description: Put in front of every key, for example V(v2-migration/).
  type: str
  default: ""
endpoint_url:
  description: URL of an S3 compatible service. Without it, AWS is used.
  type: str
region:
  description: Region of the bucket.
  type: str
access_key:
  description: Access key. Without it, boto3's own search for credentials applies.
  type: str
secret_key:
  description: Secret key that belongs to O(access_key).
  type: str
path_style:
  description:
    - Whether the bucket's name stands in the path instead of the host name, as most other services than AWS want it.
  type: bool
  default: false
s3_ca_cert:
  description: File with the certificate authorities that may have signed the certificate of O(endpoint_url).
  type: path
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
{indent(S3, " " * 2)}"""
