#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_report
short_description: Write the report of a release as a page, as text and as JSON
version_added: 0.1.0
description:
  - Makes C(report.html), C(report.txt) and C(report.json) of a release record. The page is one self-contained file.
  - The verdict stands on top, then what is missing, phases planned and actual, services, backups, migrations,
    functions, flags, tests, metrics, announcements, and the way back.
  - An empty, partial or damaged record still makes a report; it says what is missing and what could not be read.
  - All times are the record's, so the same record makes the same files. What has the form of a secret is blanked out.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes
options:
  record:
    description:
      - The record, as M(easymo.deploy.release_info) returns it.
      - Its C(facts), or the C(evidence) of any phase, may hold the parts C(services), C(rehearsals), C(migrations),
        C(functions), C(flags), C(checks), C(metrics) and C(traffic). Each has the shape that the module of its area
        returns, C(rehearsals) that of the role migration_rehearsal.
      - C(services), C(rehearsals), C(migrations) and C(metrics) are by name.
    type: dict
    required: true
  dest:
    description: Folder for the files. It is made if it is missing.
    type: path
    required: true
  plan:
    description: The phases in their order and how long each was planned to take. The default is the runbook's.
    type: list
    elements: dict
    suboptions:
      name:
        description: The phase, as in the record.
        type: str
        required: true
      minutes:
        description: How long it was planned to take.
        type: int
        required: true
requirements:
  - jinja2 >= 3.1
"""

EXAMPLES = r"""
- name: Write the report
  easymo.deploy.release_report:
    record: "{{ release_record.record }}"
    dest: ".deploy/{{ release_version }}"

- name: Write the report of a release with a plan of its own
  easymo.deploy.release_report:
    record: "{{ release_record.record }}"
    dest: ".deploy/{{ release_version }}"
    plan:
      - {name: database, minutes: 5}
      - {name: microservices, minutes: 20}
"""

RETURN = r"""
files:
  description: Paths of the files.
  returned: success
  type: dict
  contains:
    html:
      description: The page.
      returned: success
      type: str
      sample: .deploy/2.0.0/report.html
    txt:
      description: The text.
      returned: success
      type: str
      sample: .deploy/2.0.0/report.txt
    json:
      description: Report and record as JSON.
      returned: success
      type: str
      sample: .deploy/2.0.0/report.json
verdict:
  description: How the release stands, in a word or two.
  returned: success
  type: str
  sample: Deployed
missing:
  description: What a complete report would have.
  returned: success
  type: list
  elements: str
  sample: [No metric was watched.]
problems:
  description: What in the record could not be read.
  returned: success
  type: list
  elements: str
  sample: []
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: InvalidInput
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.easymo.deploy.plugins.module_utils._messages.redactor import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._module import execute
from ansible_collections.easymo.deploy.plugins.module_utils._report.build import build_report
from ansible_collections.easymo.deploy.plugins.module_utils._report.folder import ReportFolder
from ansible_collections.easymo.deploy.plugins.module_utils._report.models import Planned
from ansible_collections.easymo.deploy.plugins.module_utils._report.render import (
    JINJA2,
    files_of,
)

# The timeline of the runbook, in minutes.
RUNBOOK = (
    Planned("preflight", 15),
    Planned("database", 15),
    Planned("edge_functions", 10),
    Planned("microservices", 20),
    Planned("feature_flags", 5),
    Planned("smoke_tests", 15),
    Planned("monitoring", 60),
    Planned("sign_off", 10),
)
RECORD_DEPTH = 20


def argument_spec() -> dict[str, t.Any]:
    planned = {
        "name": {"type": "str", "required": True},
        "minutes": {"type": "int", "required": True},
    }
    return {
        "record": {"type": "dict", "required": True},
        "dest": {"type": "path", "required": True},
        "plan": {"type": "list", "elements": "dict", "options": planned},
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    record = Redactor().within(module.params["record"], RECORD_DEPTH)
    asked = module.params["plan"]
    plan = RUNBOOK if asked is None else tuple(Planned(**phase) for phase in asked)
    report = build_report(record, plan)
    after = files_of(report, record)

    folder = ReportFolder(Path(module.params["dest"]))
    before = folder.read(after)
    if before != after and not module.check_mode:
        folder.write(after)

    result = {
        "changed": before != after,
        "files": {
            name.rpartition(".")[2]: str(Path(module.params["dest"]) / name) for name in after
        },
        "verdict": report.verdict.word,
        "missing": list(report.missing),
        "problems": list(report.problems),
    }
    if module._diff:
        name = "report.txt"
        result["diff"] = {"before": before.get(name, ""), "after": after[name]}
    return result


def main() -> None:
    execute(
        AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True), run, needs=[JINJA2]
    )


if __name__ == "__main__":
    main()
