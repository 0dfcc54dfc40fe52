# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a report: services and images, tests, checklist and databases, people and metrics.

What ran before, what runs now, and why where it did not get there; what people answered and signed; what the metrics
did while somebody watched: the release, an earlier try, a step of the ramp.
"""

from __future__ import annotations

import typing as t

from .._decode import text
from .._flags.values import only_flags
from .._formats import NOT_KNOWN, counted, number, quantity, shown, size, took
from .._formats import listed as listing
from .._gate.models import Bounds, SampleStatus
from .._gate.report import bounds_of, course_of, judged_as
from .._images import image_of, version_of
from .._release.models import CHECKS_PHASE, SERVICES_PHASE, WATCH_PHASE
from .._release.record import Failure, Flags, Functions, Record, RecordedMetric, Service, SignOff
from .models import Cell, Part, Table, code, judged, plot_of, share, table, tone_of

BACK, NOT_STARTED, EARLIER = "rolled back", "not started", "rolled out earlier"

Json = t.Mapping[str, t.Any]
Row = tuple[Cell | str, ...]


def services(record: Record, pins: Json, versions: Json) -> Table:
    """By name what the rollout module returns; of a failed phase also what each host failed with.

    `pins`: what each Deployment ran before the release, as release_info returns it. `versions`: what each runs now.
    """
    evidence, waves = record.evidence(SERVICES_PHASE), record.facts.wave_numbers
    failed = {entry.name: entry for entry in evidence.failures}
    returned = {entry.name: entry for entry in record.facts.services_returned}
    # What a wave did not reach still runs what it ran before.
    unreached = waves if SERVICES_PHASE in record.phases else ()
    results = {
        **{name: Service(name, result=NOT_STARTED) for name in unreached},
        **returned,
        **{n: Service(n, result=e.result) for n, e in failed.items() if n != "localhost"},
        **{service.name: service for service in record.section("services")},
    }
    rows = []
    for name in sorted(results, key=lambda name: waves.get(name, 10_000)):
        service, failure, back = results[name], failed.get(name, Failure()), returned.get(name)
        result = service.result or ("failed" if failure.name else "unknown")
        why = service.cause or failure.message or service.msg
        now, outcome = service.after, judged(result)
        if back:
            # What another hand had changed, and the rollback changed with the rest.
            fields = ", ".join(back.taken_away)
            more = f"That removed other people's changes: {fields}." if fields else ""
            why, now = " ".join(filter(None, (why, back.message, more))), back.after or now
            stuck = Cell(f"{outcome.text}, not rolled back", "bad")
            outcome = stuck if back.message else Cell(BACK, "warn")
        # What it ran before the release: a run that finds it rolled already cannot see it.
        pinned = text(image_of(name, (pins.get(name) or {}).get("images") or {}))
        before = pinned or service.before
        # As a look at the cluster has it, else as the phase saw it when it failed.
        version = text(versions.get(name)) or version_of(text((evidence.standing or {}).get(name)))
        version = version or version_of(now) or now
        # A later run that finds it rolled already did not take "0 s". A failed phase keeps no result of what went well.
        differs = pinned and version not in ("", version_of(pinned))
        earlier = differs and result in ("no_change", NOT_STARTED)
        rows.append(
            (
                Cell(name),
                Cell(str(waves.get(name, ""))),
                Cell(EARLIER, "good") if earlier else outcome,
                code(version_of(before) or before),
                code(version),
                Cell(f"{service.ready} of {service.desired}" if service.ready else ""),
                Cell("" if earlier else took(service.duration)),
                Cell(why),
            )
        )
    columns = ("Service", "Wave", "Result", "Before", "Now", "Ready", "Took", "Why")
    empty = "No rollout of a service is recorded."
    return table("Services", columns, rows, empty, lead_of(rows), "services")


def lead_of(rows: t.Sequence[tuple[Cell, ...]]) -> str:
    back = sum(1 for row in rows if row[2].text == BACK)
    if back and back + sum(1 for row in rows if row[2].text == NOT_STARTED) == len(rows):
        return f"{back} of {counted(len(rows), 'service')} rolled back."
    return share_of_good([(row[0].text, row[2]) for row in rows], "services rolled out")


def share_of_good(results: t.Sequence[tuple[str, Cell]], what: str) -> str:
    """How many results are good, and the names of those that are not."""
    bad = [name for name, result in results if result.tone != "good"]
    return share(len(results) - len(bad), len(results), what, f"not {listing(bad, 5)}")


def images(record: Record) -> Table:
    """By image its digest, or that it was not checked, and who signed it where somebody had to."""
    known = record.facts.images
    rows: list[Row] = [
        (code(entry.name), code(entry.digest) if entry.digest else Cell(entry.unseen, "warn"))
        for entry in known
    ]
    columns: tuple[str, ...] = ("Image", "Digest")
    if any(entry.signed_by for entry in known):
        columns += ("Signed by", "Provenance")
        rows = [
            (*row, entry.signed_by, entry.provenance)
            for row, entry in zip(rows, known, strict=True)
        ]
    looked = sum(1 for entry in known if entry.digest)
    lead = share(looked, len(rows), "images were found in the registry")
    return table("Images", columns, rows, lead=lead)


def functions(record: Record) -> Table:
    """What edge_functions returns: `changes` with slug and kind, `unchanged` as names."""
    known: Functions = record.section("functions") or Functions()
    versions = {slug: function.version for slug, function in known.functions.items()}
    rows: list[Row] = [
        (change.slug, change.kind, versions.get(change.slug, ""), code(", ".join(change.files)))
        for change in known.changes
    ]
    rows += [(name, Cell("unchanged", "calm"), "", "") for name in known.unchanged]
    deployed = counted(len(known.changes), "function")
    lead = f"{deployed} deployed, {len(known.unchanged)} unchanged." if rows else ""
    columns = ("Function", "Change", "Version", "Files")
    return table("Edge functions", columns, rows, "No edge function is recorded.", lead)


def flags(record: Record) -> Table:
    """What feature_flags returns: all keys `before` and `after`. A plain dictionary is the state after."""
    known: Flags = record.section("flags") or Flags()
    before, after = known.before, known.state
    rows = []
    for name in sorted({*only_flags(after), *only_flags(before)}):
        was, now = text(before.get(name)), text(after.get(name))
        changed = "changed" if before and was != now else ""
        rows.append((code(name), was or "not set", now or "not set", changed))
    changes = sum(1 for row in rows if row[-1])
    lead = f"{changes} of {counted(len(rows), 'flag')} changed." if rows else ""
    columns = ("Flag", "Before", "After", "")
    return table("Feature flags", columns, rows, "No flag is recorded.", lead)


OTHER = "Others"
NOT_APPLICABLE = "skipped"
"""Of a line of the checklist."""


def checks(record: Record) -> Table:
    """What smoke_tests, person_check and health_check return as `results`."""
    rows = [
        (test.name, judged(test.status), test.detail, took(test.seconds))
        for test in record.section("checks")
    ]
    columns, empty = ("Test", "Result", "Seen", "Took"), "No test is recorded."
    return table("Tests", columns, rows, empty, passed(rows, "tests"), "tests")


def rollback(record: Record) -> Table:
    """What had to come back, and whether it did."""
    verified = record.facts.rollback_verified
    rows = [(entry.name, judged(entry.status), entry.detail) for entry in verified]
    results = [(name, result) for name, result, _detail in rows]
    lead = share_of_good(results, "things were verified after the rollback")
    return table("After the rollback", ("Check", "Result", "Seen"), rows, "", lead, "tests")


def checklist(record: Record) -> list[Table]:
    """A table for each section of the checklist, a row for each check; none when none is recorded."""
    sections: dict[str, list[tuple[str, Cell, str, str]]] = {}
    for check in record.evidence(CHECKS_PHASE).preflight:
        section, divided, line = check.item.partition(": ")
        title = line if divided else section or check.name
        proof = check.name if check.item else ""
        row = (title, judged(check.status), proof, check.detail)
        sections.setdefault(section if divided else OTHER, []).append(row)
    columns = ("Item", "Result", "Proven by", "Seen")
    return [
        table(title, columns, rows, "", passed(rows, "checks"), "checklist")
        for title, rows in sorted(sections.items(), key=lambda item: (item[0] == OTHER, item[0]))
    ]


def passed(rows: t.Sequence[tuple[str, Cell, str, str]], what: str) -> str:
    """Of what applies. What does not is named."""
    away = [row[0] for row in rows if row[1].text == NOT_APPLICABLE]
    applies = [row for row in rows if row[1].text != NOT_APPLICABLE]
    sentence = share_of_good([row[:2] for row in applies], f"{what} passed")
    named = ", ".join(dict.fromkeys(away))
    return f"{sentence} {counted(len(away), 'other')} do not apply: {named}." if away else sentence


def backups(record: Record) -> Table:
    """By name: what pg_backup returns as `backup`. Its end is when it had been read back and compared."""
    made = record.section("backups")
    rows = []
    for backup in made:
        counts = [count for count in map(number, backup.rows.values()) if count is not None]
        in_all = f"{sum(counts):,.0f} in {counted(len(counts), 'table')}" if counts else ""
        times = (shown(backup.finished), took(backup.duration), size(backup.size))
        rows.append((backup.name, *times, in_all, code(backup.sha256), code(backup.uri)))
    leads = [f"{counted(len(rows), 'backup')}, each read back."] if rows else []
    leads += [
        f"{backup.name} lacks objects that its user may not read: {', '.join(backup.left_out)}."
        for backup in made
        if backup.left_out
    ]
    columns = ("Database", "Read back", "Took", "Size", "Rows", "SHA-256", "Where")
    return table("Backups", columns, rows, "No backup is recorded.", " ".join(leads))


def migrations(record: Record) -> Table:
    """By database: what the module of its migrations returns."""
    rows = []
    for database in record.section("migrations"):
        warnings = database.guard_warnings
        warned = "; ".join(f"{w.file}, line {w.line}: {w.what}" for w in warnings or ())
        waived = ", ".join(database.waived)
        rows.append(
            (
                database.name,
                code(", ".join(database.applied) or "none"),
                Cell(", ".join(database.pending) or "none", "warn" if database.pending else "good"),
                Cell(waived, "warn") if waived else "none",
                Cell(warned, "warn") if warned else "not known" if warnings is None else "none",
            )
        )
    columns = ("Database", "Applied", "Still pending", "Waived", "Warned of")
    return table("Migrations", columns, rows, "No migration is recorded.")


def rehearsals(record: Record) -> Table:
    """By database: what the role migration_rehearsal says."""
    rows: list[Row] = []
    known = record.section("rehearsals")
    for rehearsal in known:
        head = (rehearsal.name, judged(rehearsal.status))
        for file, seconds in rehearsal.durations.items():
            if number(seconds) is not None:
                locks = (
                    f"{lock.mode} on {lock.relation}" for lock in rehearsal.locks.get(file, ())
                )
                rows.append((*head, code(file), took(seconds), ", ".join(locks)))
        if rehearsal.status != "passed":
            by = rehearsal.waived_by
            rows.append((*head, "", "", f"{rehearsal.waiver} ({by})" if by else rehearsal.failure))
    columns = ("Database", "Result", "Migration", "Took", "Locks held")
    leads = [
        f"{rehearsal.name} was rehearsed without {'; '.join(rehearsal.left_out)}."
        for rehearsal in known
        if rehearsal.left_out
    ]
    leads += [
        f"Copy of {rehearsal.name}: {rights_in_words(rehearsal.rights_compared)}"
        for rehearsal in known
        if rehearsal.durations
    ]
    return table("Rehearsals", columns, rows, lead=" ".join(leads))


def rights_in_words(compared: int) -> str:
    """Of a restored database."""
    if not compared:
        return "Its rights were not compared with the backup's."
    return f"Owners, grants and row security of {counted(compared, 'object')} are the backup's."


def feedback(record: Record) -> Table:
    """What people answered about users, of each watch."""
    watches = [(WATCH_PHASE, record.evidence(WATCH_PHASE).feedback)]
    watches += [(watch.name, watch.feedback) for watch in record.facts.ramp_watches]
    rows = []
    for watch, given in watches:
        for check in given.answers:
            answer = Cell(check.answer, tone_of(check.status))
            note = check.note or check.question
            name = check.name.replace("_", " ")
            rows.append((watch, name, answer, check.by, shown(check.at), note))
    return table("What users say", ("Watch", "Asked", "Answer", "By", "At", "Seen"), rows)


def unsigned(record: Record, expected: t.Sequence[str]) -> list[str]:
    signed = [act.name for act in record.facts.sign_offs]
    return [name for name in expected if name not in signed]


def sign_offs(record: Record, expected: t.Sequence[str] = ()) -> Table:
    """Who signed what and when, then who has not."""
    signed, absent = record.facts.sign_offs, unsigned(record, expected)
    rows: list[Row] = [
        (
            act.name,
            signature(record, act),
            act.by,
            act.known_as or NOT_KNOWN,
            shown(act.at),
            act.what,
            act.note,
        )
        for act in signed
    ]
    rows += [(name, Cell("missing", "bad"), *[""] * 5) for name in absent]
    lead = share(len(signed), len(signed) + len(absent), "signed", f"not {', '.join(absent)}")
    columns = ("Sign-off", "State", "By, as stated", "Known as", "At", "What was signed", "Note")
    return table("Sign-offs", columns, rows, lead=lead)


def signature(record: Record, act: SignOff) -> Cell:
    """A signature under another attempt or commit says nothing of this one."""
    if not act.by:
        return Cell("signed without a name", "bad")
    signed = ((act.attempt, record.attempt), (act.git_sha, record.git_sha))
    if any(theirs and ours and theirs != ours for theirs, ours in signed):
        return Cell("signed for another attempt or commit", "warn")
    return Cell("signed", "good")


def watch(record: Record) -> Table:
    """The release's own."""
    return _metrics("Metrics", record.section("metrics"), "No metric was watched.", "metrics")


def other_watches(record: Record) -> t.Iterator[Table]:
    """The tries of it that failed, then the ramp."""
    for nth, failure in enumerate(record.phase(WATCH_PHASE).earlier_failures, start=1):
        title = f"Metrics of try {nth}, which ended {shown(failure.finished)}"
        yield _metrics(title, failure.evidence.metrics)
    for step in record.facts.ramp_watches:
        yield _metrics(f"Metrics at {step.name}: {step.verdict}", step.samples)


def _metrics(
    title: str, entries: t.Sequence[RecordedMetric], empty: str = "", part: Part = "evidence"
) -> Table:
    rows = [
        (
            metric.name.replace("_", " "),
            verdict_of(metric),
            quantity(metric.newest, metric.unit),
            Cell(
                " to ".join(_known(metric, metric.lowest, metric.highest)),
                plot=plot_of(course_of(metric), bounds_of(metric)),
            ),
            " ".join(_known(metric, metric.mean)),
            samples(metric),
            bound_words(bounds_of(metric), metric.unit),
            " ".join(remarks(metric)),
        )
        for metric in entries
    ]
    bad = [row[0] for row in rows if row[1].tone in ("bad", "warn")]
    lead = share(len(rows) - len(bad), len(rows), "metrics were good", f"not {', '.join(bad)}")
    columns = ("Metric", "Result", "Last", "Range", "Mean", "Samples", "Bounds", "Remarks")
    return table(title, columns, rows, empty, lead, part)


def _known(metric: RecordedMetric, *values: float | None) -> list[str]:
    return [quantity(value, metric.unit) for value in values if value is not None]


def verdict_of(metric: RecordedMetric) -> Cell:
    """As it was recorded; an older record has none, and then the status of the last sample."""
    if metric.verdict:
        return judged(metric.verdict)
    status = judged_as(metric)
    if status == SampleStatus.NO_DATA.shown:
        return Cell("no data", "warn")
    return judged(status) if status else Cell("no bound recorded", "calm")


def samples(metric: RecordedMetric) -> str:
    if metric.count is None:
        return ""
    without = f", {int(metric.missing)} more without data" if metric.missing else ""
    return f"{int(metric.count)}{without}"


def bound_words(bounds: Bounds, unit: str) -> str:
    passes = _sides(unit, (bounds.minimum, "from"), (bounds.maximum, "up to"))
    fails = _sides(unit, (bounds.below, "below"), (bounds.above, "above"))
    texts = [f"passes {' '.join(passes)}" if passes else ""]
    texts += [f"rolls back {' or '.join(fails)}" if fails else ""]
    return "; ".join(filter(None, texts))


def _sides(unit: str, *sides: tuple[float | None, str]) -> list[str]:
    return [f"{side} {quantity(value, unit)}" for value, side in sides if value is not None]


def remarks(metric: RecordedMetric) -> t.Iterator[str]:
    """Users with the feature beside those without, which harm would have been seen, and why there is no data."""
    if comparison := metric.comparison:
        treated, control = (
            f"{cohort.failed or 0:,.0f} of {cohort.observed or 0:,.0f}"
            for cohort in (comparison.treated, comparison.control)
        )
        yield f"Failing users: {treated} treated, {control} of the control."
        if comparison.could_have_seen:
            yield f"The watch {comparison.could_have_seen}."
    if metric.problem:
        yield f"No data at the end: {metric.problem}."
