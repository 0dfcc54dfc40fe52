# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's configuration of the site, which scripts/site builds of a copy of these pages and those of the plugins."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml
from docutils import nodes

ROOT = Path(__file__).parents[2]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text("utf-8"))
BLOB = f"{GALAXY['repository']}/blob/main/"

project = "easymo.deploy"
author = "EasyMO"
release = version = GALAXY["version"]
extensions = ["myst_parser", "sphinx_antsibull_ext"]
exclude_patterns = ["site"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
nitpicky = False
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"easymo.deploy {release}"
html_copy_source = False
html_show_copyright = False
# Blocks of a terminal and of templates in YAML have no language of their own.
highlight_language = "text"
suppress_warnings = ["toc.not_included", "misc.highlighting_failure"]
ANSIBLE = "https://docs.ansible.com/ansible/latest/"
LABELS = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}
BUILTIN = re.compile(r"ansible_collections\.ansible\.builtin\.(\w+)")
OUTSIDE = re.compile(r"\]\(((?:\.\./)+)([^)\s]+)\)")


def setup(app: t.Any) -> None:
    app.connect("source-read", link_the_repository)
    app.connect("missing-reference", link_ansible)


def link_ansible(
    _app: t.Any, _env: t.Any, node: t.Any, inside: nodes.TextElement
) -> nodes.Element | None:
    """Where Ansible's own pages are: Sphinx would fetch the list of them at every build."""
    target = str(node.get("reftarget"))
    builtin = BUILTIN.fullmatch(target)
    page = f"collections/ansible/builtin/{builtin[1]}.html" if builtin else LABELS.get(target)
    return nodes.reference("", "", inside, internal=False, refuri=ANSIBLE + page) if page else None


def link_the_repository(_app: t.Any, name: str, source: list[str]) -> None:
    """A link to a file that is no page of the site leads to the repository."""
    here = Path(name).parent

    def resolved(found: re.Match[str]) -> str:
        path = (Path("docs") / here / (found[1] + found[2])).as_posix()
        parts: list[str] = []
        for part in path.split("/"):
            parts = parts[:-1] if part == ".." else [*parts, part]
        return f"]({BLOB}{'/'.join(parts)})"

    source[0] = OUTSIDE.sub(resolved, source[0])
