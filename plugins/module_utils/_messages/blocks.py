# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a release as Slack's blocks: header, phases, services, metrics, cause, and buttons that are links.

What Slack refuses cannot be made here: every block is made by a function that keeps its limits.
https://docs.slack.dev/reference/block-kit/blocks and /block-elements/button-element
"""

from __future__ import annotations

import typing as t

from .._formats import listed, one_line, shortened
from .._gate.report import judged_as
from .._release.record import RecordedMetric
from .._terminal.models import stopped_by
from . import headline
from .headline import SERVICES_PHASE, WATCH_PHASE, ReleaseStatus
from .outbox import Content
from .slack import code, code_block, escape, plain

Block = dict[str, t.Any]

BLOCKS, SECTION, HEADER, FIELDS, FIELD = 50, 3_000, 150, 10, 2_000
BUTTONS, BUTTON, ADDRESS = 5, 75, 3_000
"""Of buttons Slack takes 25. More than five is no choice."""
IN_ALL = 10_000
"""Characters of all blocks together, with the names of their fields. No page names a limit; at some 13,000 Slack
answered msg_blocks_too_long: https://github.com/slackapi/bolt-js/issues/2509"""
TEXT = 3_800
"""Slack folds a text that is longer."""
CAUSE = 580
"""Each character may become five, and all stands in one section."""
SHOWN_NAMES, PLAYS = 12, 20
WORST_FIRST = {"breach": 0, "missing": 1, "between": 2}


def render(status: ReleaseStatus, now: float) -> Content:
    """Of another run the newest plays. The text says the same."""
    about = headline.context(status, now)
    top: list[Block] = [
        {"type": "header", "text": plain_text(headline.title(status, bold=""), HEADER)},
        {"type": "context", "elements": [mrkdwn(shortened(about, SECTION))]},
    ]
    links = buttons(status.release.links)
    phases = sections(headline.phase_lines(status, now))
    below = [
        *sections(services(status)),
        # Of this run's watch, else as the record keeps them.
        *metrics(status.readings or status.record.evidence(WATCH_PHASE).metrics),
        *sections(cause(status)),
    ]
    plays = headline.play_lines(status, now)
    newest = [*(["…"] if plays[PLAYS:] else []), *plays[-PLAYS:]]
    others = sections([f"*{headline.run_name(status)[1]}*", *newest]) if plays else []
    shown = within([*top, *phases, *others, *below], links)
    lines = [headline.title(status), about, *map(as_text, shown[2:])]
    lines += [f"{plain(text)}: {escape(url)}" for text, url in status.release.links]
    return Content(shortened("\n".join(filter(None, lines)), TEXT), shown)


def as_text(block: Block) -> str:
    """A section as lines; "" for buttons."""
    texts = [block["text"]] if "text" in block else block.get("fields", ())
    return " · ".join(entry["text"] for entry in texts)


def within(body: t.Sequence[Block], links: t.Sequence[Block]) -> list[Block]:
    """What there is room for, from the top, and the links."""
    room = IN_ALL - len(str(links))
    blocks: list[Block] = []
    for block in body[: BLOCKS - len(links)]:
        room -= len(str(block))
        if room >= 0:
            blocks.append(block)
    return [*blocks, *links]


def services(status: ReleaseStatus) -> list[str]:
    """Those that this run rolls, and what the hosts said last."""
    lines, stage = [], status.stage_of(SERVICES_PHASE)
    if stage and (stage.live or stage.failed):
        done = sorted(stage.rolled - stage.failed)
        lines.append(f"*Services* {headline.rolled_words(stage)}")
        lines += [f"✅ {named(done)}"] if done else []
    if status.current:
        lines += [f"⏳ {line}" for line in headline.progress_lines(status.current)]
    if stage and stage.failed:
        lines.append(f"❌ {named(sorted(stage.failed))}")
    return lines


def named(names: t.Sequence[str]) -> str:
    return listed([plain(shortened(name, 60)) for name in names], SHOWN_NAMES)


def metrics(readings: t.Sequence[RecordedMetric]) -> list[Block]:
    """In two columns; of many the worst."""
    if not readings:
        return []
    ordered = sorted(readings, key=lambda reading: WORST_FIRST.get(judged_as(reading), 3))
    chosen = ordered if len(ordered) <= FIELDS else ordered[: FIELDS - 1]
    texts = [shortened(headline.reading_words(entry), FIELD) for entry in chosen]
    more = len(ordered) - len(chosen)
    texts += [f"and {more} more"] if more else []
    return [{"type": "section", "fields": [mrkdwn(text) for text in texts]}]


def cause(status: ReleaseStatus) -> list[str]:
    """The first failure, in short: the thread has it whole."""
    if not status.failures:
        return []
    text = stopped_by(status.failures)
    where = f"{code(text.host)} in {code(text.task)}"
    return [f"*Cause* {where}", code_block(text.sentence, CAUSE)]


def plain_text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": shortened(text, limit), "emoji": True}


def sections(lines: t.Sequence[str]) -> list[Block]:
    """As many as the lines need; no line is cut unless it is longer than a section."""
    texts: list[str] = []
    for line in (shortened(entry, SECTION) for entry in lines if entry):
        if texts and len(texts[-1]) + 1 + len(line) <= SECTION:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return [{"type": "section", "text": mrkdwn(text)} for text in texts]


def buttons(links: t.Sequence[tuple[str, str]]) -> list[Block]:
    made = [
        {
            "type": "button",
            "text": plain_text(escape(one_line(text)), BUTTON),
            "url": url,
            "action_id": f"link-{number}",
        }
        for number, (text, url) in enumerate(links)
        if len(url) <= ADDRESS and one_line(text)
    ]
    return [{"type": "actions", "elements": made[:BUTTONS]}] if made else []


def mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}
