#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Read the digests of images in their registries
version_added: 0.2.0
description:
  - Asks each image's registry by the OCI distribution API whether the image is there, and for its digest.
  - Images that are missing fail the task, all of them named at once.
  - A registry that stumbles is asked again. Redirects are not followed, and certificates are always verified.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._libraries.requests
options:
  images:
    description: The images, each with tag or digest. C(latest) is asked for when it has neither.
    type: list
    elements: str
    required: true
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
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 10
  wait_timeout:
    description: Seconds for which a registry that stumbles is asked again.
    type: float
    default: 30
seealso:
  - module: easymo.deploy.rollout
"""

EXAMPLES = r"""
- name: Look whether the images are there
  easymo.deploy.image_info:
    images:
      - shop/checkout:v2.0.0
      - registry.example.com/shop/wallet-service:v2.0.0
  register: found

- name: Roll to exactly what was seen, wherever the tag moves
  easymo.deploy.rollout:
    name: checkout
    namespace: shop-prod
    image: "{{ found.images['shop/checkout:v2.0.0'].pinned }}"
"""

RETURN = r"""
images:
  description: By image as it was given, its C(digest), and C(pinned), the image by that digest.
  returned: success
  type: dict
  sample:
    shop/checkout:v2.0.0:
      digest: sha256:2a1c...
      pinned: shop/checkout:v2.0.0@sha256:2a1c...
missing:
  description: The images that are not in their registry.
  returned: when there are any
  type: list
  elements: str
  sample: [shop/wallet-service:v2.0.0]
reason: {description: One word for why the task failed., returned: failure, type: str, sample: ImageNotFound}
"""

import typing as t

from ..module_utils._cluster import MonotonicClock
from ..module_utils._http import REQUESTS
from ..module_utils._images import HttpRegistry, Reference, resolve
from ..module_utils._module import Module, documented, execute, refuse_below

NEEDS = (REQUESTS,)

module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, request_timeout=0.1, wait_timeout=0)
    references = [Reference.parse(entry) for entry in dict.fromkeys(params["images"])]
    registry = HttpRegistry(
        params,
        timeout=params["request_timeout"],
        patience=params["wait_timeout"],
        clock=MonotonicClock(),
    )
    digests = resolve(registry, references)
    images = {
        reference.text: {
            "digest": digests[reference.text],
            "pinned": reference.pinned(digests[reference.text]),
        }
        for reference in references
    }
    return {"changed": False, "images": images}


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
