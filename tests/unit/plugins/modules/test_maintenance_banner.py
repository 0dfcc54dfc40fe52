import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.modules.maintenance_banner import wanted_banner


@pytest.mark.parametrize("message", [None, "", " \n", "x" * 501])
def test_a_message_of_no_or_too_many_characters_is_refused(message):
    with pytest.raises(InputError, match="a banner needs from 1 to 500"):
        wanted_banner("present", message, "info")


def test_no_banner_needs_no_message():
    assert wanted_banner("absent", None, "info") == {}
    shown = wanted_banner("present", " Upgrade\n", "info")
    assert shown == {"message": "Upgrade", "type": "info"}
