# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each service answers that it is well."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_urls
short_description: Where each service answers that it is well
version_added: 0.3.0
author: Maintainers of easymo.deploy (@easymo)
description:
  - The address of each service by its name. A service without one, as a worker that listens nowhere, is left out.
positional: url, others
options:
  _input:
    description: Names of the services.
    type: list
    elements: str
    required: true
  url:
    description: URL of a service's health, with C({service}) for its name. Empty where they have none.
    type: str
    required: true
  others:
    description: The URL of a service that differs, by its name. Empty for one that has none.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: List where the services answer, but for a worker
  ansible.builtin.debug:
    msg: "{{ ['shop', 'mailer'] | easymo.deploy.service_urls('https://api.example.com/{service}', {'mailer': ''}) }}"
"""

RETURN = r"""
_value:
  description: The URL by the name of the service.
  type: dict
  sample: {shop: "https://api.example.com/shop"}
"""

import typing as t

from ansible.errors import AnsibleFilterError


def service_urls(
    services: t.Sequence[str], url: str, others: t.Mapping[str, str] | None = None
) -> dict[str, str]:
    strangers = sorted({*(others or {})} - {*services})
    if strangers:
        raise AnsibleFilterError(
            f"contract_health_urls has an address of {strangers[0]!r}, which is no service of the inventory."
        )
    patterns = {service: (others or {}).get(service, url) for service in services}
    return {
        service: pattern.replace("{service}", service)
        for service, pattern in patterns.items()
        if pattern
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"service_urls": service_urls}
