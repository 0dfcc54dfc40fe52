# SPDX-License-Identifier: GPL-3.0-or-later
"""Images built and pushed by docker, or by a program that takes its arguments."""

from __future__ import annotations

import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ._child_process import find_program, run, whole_environment
from ._errors import ConflictError, RefusedError
from ._redaction import redact

LINES = 20
"""Of what the program said last, in a failure."""
TIMEOUT = 3600.0
"""Seconds that a build or a push may take."""


@dataclass(frozen=True)
class ImageBuild:
    """`images` by the folder, below `directory`, that each is built of."""

    program: str
    directory: str
    images: t.Mapping[str, str]

    @property
    def predicted(self) -> list[str]:
        return [
            f"Would build {image} from {self.directory}/{name} with {self.program}, and push it."
            for name, image in self.images.items()
        ]

    def push(self) -> dict[str, str]:
        """Build all, then push all. What the program knows each image by in registries, with the digest."""
        with tempfile.TemporaryDirectory(suffix=".images") as folder:
            ids = {name: Path(folder) / str(n) for n, name in enumerate(self.images)}
            for name, image in self.images.items():
                source = f"{self.directory}/{name}"
                self._run("build", "--iidfile", str(ids[name]), "--tag", image, source)
            for image in self.images.values():
                self._run("push", image)
            # By the image's id, for the tag may have moved.
            return {
                image: self._run(
                    "image", "inspect", "--format", "{{json .RepoDigests}}", ids[name].read_text()
                )
                for name, image in self.images.items()
            }

    def _run(self, *words: str) -> str:
        argv = (find_program(self.program, "build.program"), *words)
        ended = run(argv, whole_environment({}), timeout=TIMEOUT)
        if ended.rc != 0:
            output = "\n".join(redact(ended.stderr or ended.stdout).splitlines()[-LINES:])
            raise RefusedError(f"{' '.join(argv)} failed with exit code {ended.rc}: {output}")
        return ended.stdout


def refuse_others(pushed: t.Mapping[str, str], digests: t.Mapping[str, str]) -> None:
    """Raise for images under whose tag the registry has another one. Digests are those in the registry."""
    other = [image for image, known in pushed.items() if digests[image] not in known]
    if other:
        raise ConflictError(
            f"The registry has another image under {', '.join(other)} than the one just pushed: somebody "
            "else pushed that tag too. Find out who, then run the phase again."
        )
