# SPDX-License-Identifier: GPL-3.0-or-later
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
  description:
    - Access key. Without it, boto3 searches for credentials as AWS's own tools do - the environment, O(profile), SSO, a
      web identity, the role of the container or the instance. See
      U(https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html).
  type: str
secret_key:
  description: Secret key that belongs to O(access_key).
  type: str
session_token:
  description: Session token of temporary credentials, beside O(access_key) and O(secret_key).
  type: str
profile:
  description: Profile of AWS's configuration files to take the credentials from. Not beside O(access_key).
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
