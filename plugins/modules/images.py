#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: images
short_description: Look up the digests of images in their registries, once they are built and pushed
version_added: 0.2.0
description:
  - Asks each image's registry by the OCI distribution API whether the image is there, and for its digest.
  - Images that are missing fail the task, all of them named at once.
  - A registry that stumbles is asked again. Redirects are not followed, and certificates are always verified.
  - With O(build) they are built and pushed first, and the task fails where somebody else pushed the same tag meanwhile.
  - With O(signatures) the task fails for an image that the right people have not signed.
  - With O(release) the record keeps the digests and who signed, or that they are not known.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._kubernetes.elsewhere
  - easymo.deploy._libraries.requests
  - easymo.deploy._images.signatures
attributes:
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: What is built is pushed each time.
options:
  images:
    description: The images, each with tag or digest. C(latest) is asked for when it has neither.
    type: list
    elements: str
    required: true
  build:
    description: Builds and pushes images first. Check mode says which.
    type: dict
    suboptions:
      program:
        description: Name or path of C(docker), or of a program that builds, pushes and inspects as it does.
        type: str
        default: docker
      directory:
        description: Folder of the sources.
        type: path
        required: true
      images:
        description: By folder in O(build.directory), the image that is built of it.
        type: dict
        required: true
  check:
    description: Whether registries are asked at all. V(false) is for where none can be reached.
    type: bool
    default: true
  release:
    description: The release in whose record the fact C(images) is kept.
    type: str
  kubernetes:
    description: The cluster of the record. Needed with O(release).
  registry:
    description:
      - URL of the registry's API, without C(/v2/), for images that are not where their name says, as in a network that
        reaches Docker Hub through a proxy of its own.
      - Each image's own registry when empty.
    type: str
    default: ""
  username:
    description: Who may pull, when the registry asks.
    type: str
    default: ""
  password:
    description: The password or access token of O(username).
    type: str
    default: ""
  ca_cert:
    description: File with the certificate authorities that may have signed the registry's certificate.
    type: path
  wait_timeout:
    description: Seconds for which a registry that stumbles is asked again.
    type: float
    default: 30
seealso:
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Look whether the images are there
  easymo.deploy.images:
    images:
      - shop/checkout:v2.0.0
      - registry.example.com/shop/wallet-service:v2.0.0
  register: found

- name: Let only images pass that the pipeline of the repository signed, and whose provenance it attests
  easymo.deploy.images:
    images: [registry.example.com/shop/checkout:v2.0.0]
    signatures:
      identity: https://github.com/shop/checkout/.github/workflows/release.yml@refs/heads/main
      issuer: https://token.actions.githubusercontent.com
      provenance: slsaprovenance1

- name: Roll to exactly what was seen, wherever the tag moves
  easymo.deploy.rollout:
    name: checkout
    namespace: shop-prod
    image: "{{ found.images['shop/checkout:v2.0.0'].pinned }}"
"""

RETURN = r"""
images:
  description:
    - By image as it was given, its C(digest), and C(pinned), the image by that digest. Empty if none was seen.
    - With O(signatures) also C(signed_by), and C(provenance), the type of what was verified.
  returned: success
  type: dict
  sample:
    shop/checkout:v2.0.0:
      digest: sha256:2a1c...
      pinned: shop/checkout:v2.0.0@sha256:2a1c...
remarks:
  {description: "What would be built, or that no registry was asked.", returned: success, type: list, elements: str}
missing:
  description: The images that are not in their registry.
  returned: when there are any
  type: list
  elements: str
  sample: [shop/wallet-service:v2.0.0]
"""

import typing as t

from ..module_utils._http import REQUESTS
from ..module_utils._image_build import ImageBuild, refuse_others
from ..module_utils._image_signatures import SignatureCheck
from ..module_utils._images import HttpRegistry, Reference, resolve
from ..module_utils._module import Module, Result, documented, execute, refuse_below
from ..module_utils._release.task import change_record, store_of
from ..module_utils._time import Deadline

NOT_CHECKED = "digest not checked"
UNCHECKED = (
    f"Images: {NOT_CHECKED}. The registry was not checked before phase 4 (release_check_images is false), so a "
    "missing image shows only when a pod cannot pull it, and the image behind a tag is not known."
)
ONE_REQUEST = 10.0
"""Seconds that one request to a registry may take."""

module_spec = documented(DOCUMENTATION, needs=(REQUESTS,), required_by={"release": ["kubernetes"]})


def run(module: Module) -> Result:
    params = module.params
    refuse_below(params, wait_timeout=0)
    build = ImageBuild(**params["build"]) if params["build"] else None
    result: Result = {"changed": bool(build), "images": {}, "remarks": []}
    if build and module.check_mode:
        # Nothing is pushed, so nothing is there.
        return {**result, "remarks": build.predicted}
    pushed = build.push() if build else {}
    if params["check"]:
        result["images"] = _look_up(params, pushed)
        refuse_others(pushed, {image: known["digest"] for image, known in result["images"].items()})
    else:
        result["remarks"] = [UNCHECKED]
    result["changed"] |= _record(module, result["images"])
    return result


def _look_up(params: t.Mapping[str, t.Any], pushed: t.Iterable[str]) -> dict[str, dict[str, str]]:
    references = [Reference.parse(entry) for entry in dict.fromkeys([*params["images"], *pushed])]
    deadline = Deadline(params["wait_timeout"])
    registry = HttpRegistry(params, timeout=ONE_REQUEST, deadline=deadline)
    signatures = SignatureCheck.of(params)
    digests = resolve(registry, references)
    verified = signatures.verify_all(references, digests) if signatures else {}
    return {
        reference.text: {
            "digest": digests[reference.text],
            "pinned": reference.pinned(digests[reference.text]),
            **verified.get(reference.text, {}),
        }
        for reference in references
    }


def _record(module: Module, images: t.Mapping[str, t.Any]) -> bool:
    """Whether the record changed. Without a release there is none."""
    store = store_of(module)
    if store is None:
        return False
    before, after = change_record(
        store,
        check_mode=module.check_mode,
        facts={"images": images or dict.fromkeys(module.params["images"], NOT_CHECKED)},
        notes=() if module.params["check"] else (UNCHECKED,),
    )
    return before != after


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
