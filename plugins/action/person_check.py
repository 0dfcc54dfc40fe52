# SPDX-License-Identifier: GPL-3.0-or-later
"""M(easymo.deploy.person_check) where the terminal is: at the controller, whatever the connection."""

from __future__ import annotations

import time

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display

from ..module_utils._arguments import user_here
from ..module_utils._checks.smoke import SCALES, SEVERITY, PersonAnswer, Question, read_word
from ..module_utils._errors import InputError
from ..module_utils._redaction import redact
from ..module_utils._time import utc_now
from ..modules import person_check
from ..plugin_utils._action_module import ControllerActionBase, ControllerModule


class PromptingModule(ControllerModule):
    """A module that can ask at the terminal; who answers is asked for once."""

    by = ""

    def ask(self, question: Question, timeout: int) -> PersonAnswer:
        addressee = f" ({question.asked_of})" if question.asked_of else ""
        words = SCALES[question.scale]
        text = f"{question.question}{addressee} [{'/'.join(words)}]"
        note = ""
        try:
            while not (answer := self._word(text, question.scale, timeout)):
                continue
            if question.scale == SEVERITY and words[answer] != "pass":
                note = self._read_line(f"What is {answer}?", timeout)
            if not self.by:
                self.by = self._read_line(f"Who answers? [{user_here()}]", timeout) or user_here()
        except AnsiblePromptNoninteractive:
            return person_check.no_answer(question, timeout)
        except AnsiblePromptInterrupt:
            return PersonAnswer(note=f"the prompt was interrupted: {question.question}")
        except TimeoutError:
            return PersonAnswer(note=f"no answer within {timeout} s: {question.question}")
        return PersonAnswer(answer, self.by, utc_now(), "terminal", note)

    def _word(self, text: str, scale: str, timeout: int) -> str:
        """Empty for what is no word of the scale, so that it is asked again."""
        try:
            return read_word(self._read_line(text, timeout), "The answer", scale)
        except InputError:
            return ""

    @staticmethod
    def _read_line(text: str, timeout: int) -> str:
        """What was typed and ended by Enter; TimeoutError for what was not ended in time."""
        deadline = time.monotonic() + timeout
        typed: bytes = Display().prompt_until(f"{text}: ", seconds=timeout)
        if time.monotonic() >= deadline:
            raise TimeoutError
        return redact(typed.decode(errors="replace").strip())


class ActionModule(ControllerActionBase):
    module = person_check
    shell = PromptingModule
    anywhere = True
