#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: person_check
short_description: Ask people what a machine can't see, and keep who said what
version_added: 0.2.0
description:
  - Asks each of O(questions) at the terminal of the run, unless O(answers) has its answer.
  - Only a yes or a good passes, a no or a bad fails, and a minor holds. Where there is no terminal, no answer comes in
    time, or somebody presses Ctrl-C, the question holds. An unanswered question is never a yes.
  - Every answer is kept with name and time, and how it was given.
  - In check mode no question is asked.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._module.verdict
  - easymo.deploy._kubernetes.elsewhere
attributes:
  check_mode:
    support: full
    details: Says what would be asked.
options:
  questions:
    description: What is asked, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the question is called in results and in O(answers).
        type: str
        required: true
      question:
        description: The question.
        type: str
        required: true
      asked_of:
        description: Who should look, for people.
        type: str
        default: ""
      scenario:
        description: The scenario of a runbook that it belongs to, kept with its result.
        type: str
        default: ""
      scale:
        description:
          - What may be answered. V(yes_no) is V(yes) or V(no).
          - V(severity) is V(good), V(minor) for what is wrong and can wait for a fix, or V(bad) for what must go back.
        type: str
        choices: [yes_no, severity]
        default: yes_no
  answers:
    description:
      - Answers by the name of the question. Each is a word of its scale, or a dictionary with C(answer), C(by), C(at)
        and C(note).
    type: dict
    default: {}
  answered_by:
    description: Who gave those of O(answers) that have no C(by).
    type: str
    default: ""
  timeout:
    description: Seconds to wait for one answer at the terminal.
    type: int
    default: 600
  feedback:
    description:
      - For questions about users after a watch. Answers in the record of O(release) about this watch count too, the
        newest of each question.
      - No question comes at the terminal where the watch holds already. RV(watch) has the worse of both verdicts.
    type: dict
    suboptions:
      watch:
        description: What M(easymo.deploy.metrics_gate) returned.
        type: dict
        required: true
      gate:
        description: The watch, as people answer for it.
        type: str
        default: monitoring
      since:
        description: When answers began to count, in UTC as RFC 3339. When the watch began, if empty.
        type: str
        default: ""
  release:
    description: The release whose record has answers for O(feedback).
    type: str
requirements:
  - kubernetes, only for O(release)
"""

EXAMPLES = r"""
- name: Ask whether the dashboard looks right, unless the answer was given
  easymo.deploy.person_check:
    questions:
      - name: dashboard
        question: Does the dashboard show the rollout at 1%?
        asked_of: the internal team
    answers:
      dashboard: {answer: true, by: Jane Doe, at: "2025-11-04T09:41:00Z"}
"""

RETURN = r"""
verdict:
  description: V(proceed) when every answer passes, V(rollback) when one fails, else V(hold).
  returned: success, and when the verdict fails the task
  type: str
sentence:
  description: Every question whose answer does not pass, and that has none, empty when there is none.
  returned: success
  type: str
lines:
  description: A line for each question.
  returned: success, and when the verdict fails the task
  type: list
  elements: str
results:
  description:
    - A row for each question, like those of M(easymo.deploy.smoke_tests). C(status) is V(pass), V(fail), V(hold), or in
      check mode V(planned), and C(detail) says who said what.
    - C(facts) has C(question), C(asked_of), C(answer), which is V(none) without one, C(by), C(at), C(note), and C(how),
      which is terminal, variable or nobody.
  returned: success, and when the verdict fails the task
  type: list
  elements: dict
watch:
  description:
    - O(feedback.watch) with C(verdict), C(sentence) and C(reasons) of both, and C(feedback), which has the verdict of
      the metrics as C(watched), C(since), and a dictionary for each answer as C(answers).
  returned: with O(feedback)
  type: dict
"""

import time
import typing as t

from ..module_utils._checks import smoke
from ..module_utils._gate.models import Verdict
from ..module_utils._gate.verdict import newest_answers, with_feedback
from ..module_utils._module import Module, documented, emit_progress, execute
from ..module_utils._release.task import store_of
from ..module_utils._time import utc_now

Ask = t.Callable[[smoke.Question, int], smoke.PersonAnswer]

module_spec = documented(DOCUMENTATION, required_by={"release": ["kubernetes"]})


def run(module: Module) -> dict[str, t.Any]:
    """A module has no terminal; its action plugin, which has, gives itself as `ask`."""
    params, feedback, asks = dict(module.params), module.params["feedback"], True
    questions = smoke.read_questions(params["questions"])
    if feedback:
        watch, gate = feedback["watch"], feedback["gate"]
        store = store_of(module)
        record = store.read() if store else None
        params["answers"] = newest_answers(
            record.body["facts"].get("feedback") or {} if record else {},
            params["answers"],
            gate=gate,
            since=feedback["since"] or watch["started"],
            by=params["answered_by"],
        )
        asks = watch["verdict"] == Verdict.PROCEED.value
    answers = smoke.read_answers(
        params["answers"], questions, by=params["answered_by"], now=utc_now()
    )
    ask: Ask = getattr(module, "ask", no_answer)
    rows = []
    for question in questions:
        if module.check_mode:
            row = question.planned()
        else:
            answer, started = answers.get(question.name), time.monotonic()
            if answer is None and asks:
                answer = ask(question, params["timeout"])
            silence = smoke.PersonAnswer(note=f"it was not asked: {question.question}")
            row = question.result_of(answer or silence, time.monotonic() - started)
            emit_progress(
                module,
                "PersonAnswered",
                smoke.line(row),
                {"name": row["name"], "status": row["status"]},
            )
        rows.append(row)
    result = smoke.conclude(rows, params["fail_on"])
    if feedback:
        result["watch"] = with_feedback(watch, rows, gate=gate, since=feedback["since"])
    return result


def no_answer(_question: smoke.Question, _timeout: int) -> smoke.PersonAnswer:
    return smoke.PersonAnswer(note="there is no terminal")


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
