# SPDX-License-Identifier: GPL-3.0-or-later
"""In which groups of C(module_defaults) a module is, as meta/runtime.yml says."""

from __future__ import annotations


def _in(*groups: str) -> str:
    listed = ", ".join(f"easymo.deploy.{name}" for name in groups)
    text = " and ".join(f"C(group/easymo.deploy.{name})" for name in groups)
    return f"""options: {{}}
attributes:
  action_group:
    description: Takes what its tasks have in common from C(module_defaults) of {text}.
    support: full
    membership: [{listed}]
"""


class ModuleDocFragment:
    FLAGS_AND_KUBERNETES: str = _in("flags", "kubernetes")
    KUBERNETES: str = _in("kubernetes")
    POSTGRES: str = _in("postgres")
    POSTGRES_AND_S3: str = _in("postgres", "s3")
    S3: str = _in("s3")
    S3_AND_SUPABASE: str = _in("s3", "supabase")
    SUPABASE: str = _in("supabase")
