import json

from ansible_collections.easymo.deploy.plugins.filter.words import release_claims

SET = {"flags": {"after": {"FEATURE_SEARCH": "true"}, "asked": {"FEATURE_SEARCH": "true"}}}
TIMES = {"status": "done", "started": "2026-11-24T06:00:00Z", "finished": "2026-11-24T06:10:00Z"}


def test_an_outline_of_a_record_says_what_the_whole_of_it_does():
    outline = {"version": "2.0.0", **TIMES, "phases": {"feature_flags": TIMES}}
    whole = {**outline, "phases": {"feature_flags": {**TIMES, "evidence": SET}}}
    now = {"flags": {"values": SET["flags"]["after"], "kill_switch": {}}}
    by_outline = release_claims({"record": outline, "document": json.dumps(whole), **now})
    of_whole, of_outline = (release_claims({"record": body, **now}) for body in (whole, outline))
    assert by_outline == of_whole != of_outline
