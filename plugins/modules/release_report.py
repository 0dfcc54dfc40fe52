#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_report
short_description: Write the report of a release as a page, as text and as JSON
version_added: 0.1.0
description:
  - Makes C(report.html), C(report.txt) and C(report.json) of a release record, and of what stands beside it in the
    cluster. The page is one self-contained file.
  - The verdict stands on top, then the state now, deviations and what is missing, the phases with what happened,
    services, metrics with their bounds, tests, the checklist, backups, migrations, functions, flags and sign-offs.
    C(docs/report.md) tells where each comes from.
  - C(lessons.md) is a template of the review to write in. When the release failed or was rolled back there is
    C(incident.md) too, C(incident-2.md) and so on for later attempts. In both, only what stands between the marks of
    the facts is written again; what people add is kept.
  - An empty, partial or damaged record still makes a report; it says what is missing and what could not be read.
    Without an answer of the cluster there is none.
  - Which version a service runs is read from the cluster.
  - All times are the record's, so the same record and versions make the same files.
  - What has the form of a secret is blanked out.
requirements:
  - the program ssh-keygen of OpenSSH 8.1 or later (for O(signing_key))
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._kubernetes.elsewhere
  - easymo.deploy._release_run.report
  - easymo.deploy._libraries.jinja2
options:
  kubernetes:
    description: The cluster that has the record of O(release).
    type: dict
    required: true
  dest:
    description: Folder for the files. It is made if it is missing.
    type: path
    required: true
  release:
    description: The release, also for the title where the record does not tell.
    type: str
    required: true
  signing_key:
    description:
      - A private SSH key without a passphrase, or the public key of one that an agent holds. C(report.json), which has
        the record, is signed by it in C(report.json.sig), as C(ssh-keygen -Y verify -n release-report) reads it.
    type: path
"""

EXAMPLES = r"""
- name: Write the report
  easymo.deploy.release_report:
    release: 2.0.0
    kubernetes: {namespace: shop-prod}
    dest: .deploy/2.0.0
    plan:
      - {name: database, minutes: 5}
      - {name: microservices, title: Twelve services, minutes: 20}
    sign_offs: [qa, product]
    time_zone: Africa/Nairobi
"""

RETURN = r"""
files:
  description: Paths of the page as C(html), of the text as C(txt), and of report and record as C(json).
  returned: success
  type: dict
incident:
  description: Path of the incident file, empty when there is no incident.
  returned: success
  type: str
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
"""

import typing as t
from dataclasses import replace
from pathlib import Path

from ..module_utils._cluster import Cluster
from ..module_utils._errors import VerificationError
from ..module_utils._kubernetes import cluster_elsewhere
from ..module_utils._module import Module, documented, execute
from ..module_utils._redaction import Redactor
from ..module_utils._release.history import why_untrue
from ..module_utils._release.plan import merge
from ..module_utils._release.record import Record
from ..module_utils._report.build import RECORD_DEPTH, asked_of, build_report
from ..module_utils._report.files import ReportFolder, incident_name, notes_of
from ..module_utils._report.render import files_of
from ..module_utils._signatures import REPORT, sign
from ..module_utils._status.build import service_version
from ..module_utils._story.view import ReleaseView
from ..module_utils._templates import JINJA2

PAGE, SIGNED = "report.html", "report.json"
SIGNATURE = f"{SIGNED}.sig"

module_spec = documented(DOCUMENTATION, needs=(JINJA2,))


def run(module: Module) -> dict[str, t.Any]:
    given, redact = module.params, Redactor()
    params = {**given, **read_report(cluster_elsewhere(module), given["release"])}
    record = redact.within(params["record"], RECORD_DEPTH)
    requested = replace(asked_of(params, redact), versions=params.get("versions") or {})
    report = build_report(record, requested)
    folder = ReportFolder(Path(params["dest"]))
    incident = incident_name(Record.read(record).attempt)
    files = files_of(report, record)
    before = folder.read([*files, "lessons.md", incident, SIGNATURE])
    after = {**files, **notes_of(report, record, before)}
    if key := params["signing_key"]:
        after[SIGNATURE] = sign(after[SIGNED], Path(key), REPORT)
    changed = {name: entry for name, entry in after.items() if before.get(name) != entry}
    if changed and not module.check_mode:
        folder.write(changed)

    paths = {name: str(Path(params["dest"]) / name) for name in after}
    pages = [paths[name] for name in (PAGE, incident) if name in paths]
    text = "report.txt"
    return {
        # M(easymo.deploy.release_run) writes the page itself again while a run lives: that is no change of the report.
        "changed": any(name != PAGE or name not in before for name in changed),
        "files": {name.rpartition(".")[2]: paths[name] for name in files},
        "incident": paths.get(incident, ""),
        "verdict": report.verdict.word,
        "remarks": [f"{report.verdict.word}, see {' and '.join(pages)}"],
        "deviations": [deviation.sentence() for deviation in report.deviations],
        "missing": list(report.missing),
        "problems": list(report.problems),
        "document": params.get("document", ""),
        "diff": {"before": before.get(text, ""), "after": after[text]},
    }


def read_report(cluster: Cluster, release: str) -> dict[str, t.Any]:
    """The record with what the guard did, what stands beside it, and the versions of now. A damage is a `problem`."""
    view = ReleaseView(cluster, release)
    try:
        info = view.to_result()
    except VerificationError as exc:
        return {"record": exc.details.get("record") or {}, "problem": str(exc)}
    record, acts = info["record"], view.guard_acts
    if acts:
        record = merge(record, {"facts": {"guard": {"acts": acts}}})
    none = f"Release {release} has no record."
    problem = why_untrue(view.record.body) if view.record else none
    seen = {
        "pins": info["pins"]["deployments"],
        "versions": {
            entry["name"]: service_version(entry["name"], entry["images"])
            for entry in view.deployments
        },
    }
    return {**info, **seen, "record": record, "problem": problem}


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
