"""A registry of images, as phase 4 asks it: each that a release names is there, but for the absent one.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md, "Pulling manifests".
"""

import hashlib
import json

from ..kubelet import ABSENT
from ..web import Answered, Asked

HOST = "registry.example.com"
KIND = "application/vnd.oci.image.manifest.v1+json"


def answer(asked: Asked) -> Answered:
    if asked.path.endswith(ABSENT):
        return Answered(404, b"")
    body = json.dumps({"schemaVersion": 2, "mediaType": KIND, "config": {}, "layers": []}).encode()
    digest = f"sha256:{hashlib.sha256(asked.path.encode()).hexdigest()}"
    headers = {"Content-Type": KIND, "Docker-Content-Digest": digest}
    return Answered(200, b"" if asked.method == "HEAD" else body, headers)
