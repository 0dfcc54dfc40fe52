"""botocore, which S3 itself accepts, as the witness of our signature."""

import datetime

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Witness

from sandbox.seaweedfs import Credentials, signed_headers


def test_we_sign_as_botocore_does():
    ours = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "eu-west-1")
    request = AWSRequest("PUT", "http://127.0.0.1:8333/a-bucket", headers={})
    S3SigV4Auth(Witness("AKIDEXAMPLE", "wJalrXUtnFEMI"), "s3", "eu-west-1").add_auth(request)
    stamp = request.context["timestamp"]
    now = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)

    headers = signed_headers(ours, "PUT", "127.0.0.1:8333", "/a-bucket", now)

    assert headers["Authorization"] == request.headers["Authorization"]
