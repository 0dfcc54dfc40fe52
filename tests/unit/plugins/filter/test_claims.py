"""What may be claimed is by the whole record, also where a task returned its outline."""

import json

from ansible_collections.easymo.deploy.plugins.filter.claims import release_claims

SET = {"flags": {"after": {"FEATURE_SEARCH": "true"}, "asked": {"FEATURE_SEARCH": "true"}}}
TIMES = {"status": "done", "started": "2026-11-24T06:00:00Z", "finished": "2026-11-24T06:10:00Z"}
OUTLINE = {"version": "2.0.0", "attempt": 1, **TIMES, "phases": {"feature_flags": TIMES}}
WHOLE = {**OUTLINE, "phases": {"feature_flags": {**TIMES, "evidence": SET}}}


def test_an_outline_says_what_the_whole_record_does():
    by_outline = release_claims({"record": OUTLINE, "document": json.dumps(WHOLE)})
    assert by_outline == release_claims({"record": WHOLE}) != release_claims({"record": OUTLINE})
