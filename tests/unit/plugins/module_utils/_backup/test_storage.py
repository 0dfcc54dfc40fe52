import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._backup.plan import (
    other_storage,
    refuse_storage,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import InputError
from ansible_collections.easymo.deploy.plugins.module_utils._s3 import Storage

ARN = "arn:aws:kms:eu-west-1:111122223333:key/1234"


@pytest.mark.parametrize(
    "storage",
    [
        Storage(),
        Storage("AES256", None, "STANDARD_IA"),
        Storage("aws:kms", "alias/backups", "GLACIER_IR"),
    ],
)
def test_what_can_be_read_back_is_fine(storage):
    refuse_storage(storage)


@pytest.mark.parametrize("encryption", [None, "AES256"])
def test_a_key_without_kms_is_refused(encryption):
    with pytest.raises(InputError, match="kms_key_id"):
        refuse_storage(Storage(encryption, "1234"))


@pytest.mark.parametrize("archive", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archive_is_refused_with_the_reason(archive):
    with pytest.raises(InputError, match=f"{archive}.*cannot be read back"):
        refuse_storage(Storage(storage_class=archive))


@pytest.mark.parametrize(
    ("requested", "applied", "difference"),
    [
        (Storage(), Storage("AES256", None, "STANDARD"), ""),
        (Storage("AES256"), Storage(), ""),
        (Storage("AES256"), Storage("aws:kms"), "'aws:kms' and should be 'AES256'"),
        (Storage(None, None, "STANDARD_IA"), Storage(None, None, "STANDARD"), "storage class"),
        (Storage("aws:kms", "1234"), Storage("aws:kms", ARN), ""),
        (Storage("aws:kms", ARN), Storage("aws:kms", ARN), ""),
        (Storage("aws:kms", "9999"), Storage("aws:kms", ARN), "KMS key"),
        (Storage("aws:kms", "alias/backups"), Storage("aws:kms", ARN), ""),
    ],
)
def test_only_a_contradiction_counts(requested, applied, difference):
    assert difference in other_storage(requested, applied)
    assert bool(other_storage(requested, applied)) == bool(difference)
