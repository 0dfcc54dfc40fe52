# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.diagnosis) in the controller, which knows what was typed, and which secrets the run has."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ..module_utils._redaction import SECRET_LENGTH
from ..module_utils._secret_forms import holds_secret
from ..module_utils._variable_check import missing_secrets
from ..modules import diagnosis
from ..plugin_utils._action_module import ControllerActionBase
from ..plugin_utils._process import typed_here


class ActionModule(ControllerActionBase):
    module = diagnosis

    def parameters(self, given: dict[str, t.Any]) -> dict[str, t.Any]:
        names = filter(holds_secret, self.task_vars)
        values = {name: self._value(self.task_vars[name]) for name in names}
        long = [value for value in values.values() if len(value) >= SECRET_LENGTH]
        missing = missing_secrets(given["secrets"], values)
        return {
            **given,
            **typed_here(given),
            "redact": [*given["redact"], *long],
            "missing_secrets": missing,
        }

    def _value(self, raw: t.Any) -> str:
        """As text; "" for what can't be read, which on a bad day must not stop the rest."""
        try:
            value = self._templar.template(raw)
        except AnsibleError:
            return ""
        return str(value) if isinstance(value, (str, int)) else ""
