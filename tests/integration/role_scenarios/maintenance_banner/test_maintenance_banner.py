"""The dashboard shows the banner of the release."""

import json
import urllib.request


def test_the_dashboard_shows_the_banner(witness):
    gateway = witness.facts["gateway"]
    url, token = f"{gateway['url']}/admin/banner", f"Bearer {gateway['admin_token']}"
    request = urllib.request.Request(url, headers={"Authorization": token})
    with urllib.request.urlopen(request, timeout=20) as answer:
        shown = json.load(answer)["banner"]
    assert shown == {"message": "The scenario is deployed.", "type": "info"}
