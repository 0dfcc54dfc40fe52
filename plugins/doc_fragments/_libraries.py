# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The Python libraries that plugins need, each with its lowest version. A plugin says when it needs one not always."""

from __future__ import annotations


class ModuleDocFragment:
    BOTO3 = r"""
options: {}
requirements:
  - boto3 >= 1.40
"""

    CONFLUENT_KAFKA = r"""
options: {}
requirements:
  - confluent-kafka >= 2.11
"""

    ICALENDAR = r"""
options: {}
requirements:
  - icalendar >= 7
"""

    JINJA2 = r"""
options: {}
requirements:
  - jinja2 >= 3.1
"""

    KUBERNETES = r"""
options: {}
requirements:
  - kubernetes >= 34
"""

    PGLAST = r"""
options: {}
requirements:
  - pglast >= 8.8
"""

    PSYCOPG2 = r"""
options: {}
requirements:
  - psycopg2-binary >= 2.9.10
"""

    REDIS = r"""
options: {}
requirements:
  - redis >= 6
"""

    REQUESTS = r"""
options: {}
requirements:
  - requests >= 2.32
"""

    SLACK_SDK = r"""
options: {}
requirements:
  - slack-sdk >= 3.36
"""
