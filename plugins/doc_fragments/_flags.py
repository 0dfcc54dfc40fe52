# SPDX-License-Identifier: GPL-3.0-or-later
"""How pods tell which flags they run, and the document that is made of the flags."""

from __future__ import annotations


class ModuleDocFragment:
    PROBE = r"""
options:
  probe:
    description:
      - How a pod is asked which flags it runs. By C(env) in its container when not given, which tells all of an
        application that reads them when it starts.
      - An application that takes changes up while it runs must say itself what it runs.
    type: dict
    suboptions:
      http:
        description:
          - An address of the pod that answers with JSON. It is asked through the API server, which needs C(get) on
            C(pods/proxy).
        type: dict
        suboptions:
          port: {description: The port., type: int, required: true}
          path: {description: "The path, for example V(/flags).", type: str, required: true}
          scheme: {description: Whether it speaks TLS., type: str, choices: [http, https], default: http}
      command:
        description: A command in the container that prints JSON.
        type: list
        elements: str
      files:
        description:
          - The folder where the ConfigMap is mounted, whose files are read by C(sh) in the container.
          - The weakest of all, for it does not show that the application has read them. This is told each time.
        type: str
      values:
        description:
          - "Where in the JSON the flags are, in JMESPath (U(https://jmespath.org)), as an object by their names. For
            example V(flags), or V({FEATURE_CHECKOUT: checkout.enabled})."
        type: str
        default: "@"
"""
    CONSUMERS = r"""
options:
  name:
    description: The ConfigMap of the flags. It is created when a flag is set and it is missing.
    type: str
    default: feature-flags
  wait_timeout:
    description: Seconds for pods to follow a mounted ConfigMap, or to be replaced where they started with older flags.
    type: int
    default: 120
  consumers:
    description:
      - Deployments that read the ConfigMap. One that is missing fails the task, after the others are done.
      - Without any, the flags hold for pods that start from now on.
    type: list
    elements: str
    default: []
  delivery:
    description:
      - How O(consumers) have their flags. V(environment), which they read when they start, so they are restarted.
      - V(volume), the ConfigMap mounted as a folder, whose changes they take up while they run, so nothing restarts. An
        annotation of each pod has the kubelet look at its volumes at once; without that it takes up to 90 seconds.
        Needs O(probe).
    type: str
    choices: [environment, volume]
    default: environment
"""
