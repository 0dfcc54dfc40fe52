#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: junit_report
short_description: Write results of tests as JUnit XML
version_added: 0.2.0
description:
  - Writes the results of M(easymo.deploy.smoke_tests), M(easymo.deploy.person_check) or
    M(easymo.deploy.health_check) as one test suite that CI servers read.
  - A test that failed is a C(failure), one that holds an C(error), one that was left out is C(skipped).
  - What has the form of a secret is blanked out.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
options:
  results:
    description: The results, each with C(name), C(status), C(seconds), C(detail) and, if it has any, C(steps).
    type: list
    elements: dict
    required: true
  suite:
    description: What the suite is called.
    type: str
    required: true
  dest:
    description: The file. Its folder is made if it is missing.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Write the smoke tests for the CI server
  easymo.deploy.junit_report:
    suite: smoke tests 2.0.0
    results: "{{ smoke.results }}"
    dest: .deploy/2.0.0/smoke-tests.xml
"""

RETURN = r"""
dest:
  description: The file.
  returned: success
  type: str
  sample: .deploy/2.0.0/smoke-tests.xml
reason: {description: One word for why the task failed., returned: failure, type: str, sample: InvalidInput}
"""

import typing as t
from pathlib import Path

from ..module_utils._checks.smoke import junit_xml
from ..module_utils._errors import InputError
from ..module_utils._module import Module, documented, execute
from ..module_utils._redaction import Redactor
from ..module_utils._report.files import ReportFolder

DEPTH = 20


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    results = [Redactor().within(entry, DEPTH) for entry in module.params["results"]]
    nameless = [entry for entry in results if not entry.get("name")]
    if nameless:
        raise InputError(f"{len(nameless)} of {len(results)} results have no 'name'.")
    dest = Path(module.params["dest"])
    folder = ReportFolder(dest.parent)
    after = {dest.name: junit_xml(module.params["suite"], results)}
    before = folder.read(after)
    if before != after and not module.check_mode:
        folder.write(after)
    result = {"changed": before != after, "dest": str(dest)}
    if module._diff:
        result["diff"] = {"before": before.get(dest.name, ""), "after": after[dest.name]}
    return result


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
