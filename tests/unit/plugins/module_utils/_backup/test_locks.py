import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.tables import (
    LockTableRoom,
    cure,
    refuse_shortage,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import RefusedError

ROOM = LockTableRoom(per_transaction=64, shares=100, taken=400)  # 6,000 are free


@pytest.mark.parametrize("needed", [10, 6_000, 12_000])
def test_what_may_work_is_let_through(needed):
    refuse_shortage(ROOM, needed, "A dump")


def test_what_cannot_work_is_refused_with_the_setting_that_it_takes():
    with pytest.raises(RefusedError) as caught:
        refuse_shortage(ROOM, 40_000, "A dump of x", ", or do without")
    assert str(caught.value) == (
        "A dump of x locks at least 40000 objects at once, but the server has room for 6000: set "
        "its "
        "max_locks_per_transaction (now 64) to 448 or more and restart it, or do without. Nothing was touched."
    )
    assert 448 * ROOM.shares >= 40_000 + ROOM.taken


def test_only_a_full_lock_table_is_called_one():
    assert "raise max_locks_per_transaction" in cure("ERROR:  out of shared memory")
    assert cure("ERROR:  out of memory") == ""
