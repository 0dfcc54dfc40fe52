from ansible_collections.easymo.deploy.plugins.module_utils._backup.tables import cure


def test_only_a_full_lock_table_is_called_one():
    assert "raise max_locks_per_transaction" in cure("ERROR:  out of shared memory")
    assert cure("ERROR:  out of memory") == ""
