"""`mongoclaw dlq`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import click

from executions_app import dead_letter_work as work
from executions_app import dead_letters, queries
from executions_app.dead_letter_names import unknown_names
from executions_app.dead_letter_wire import dead_letter_json, line_json, report_json, story_json
from executions_app.dead_letter_work import LEFT_MEANINGS, Report, Selection
from executions_app.dead_letters import DeadLetter, Filter, Kind
from executions_app.models import Execution, StrayMessage
from executions_app.moment import FORMS
from executions_app.states import DEAD
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.executions import story
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.moment import SINCE
from mongoclaw_project.cli.output import done, note, show, to_json_line, wants_json
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.rate import RATE
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table

SHOWN_ID: Final = 8
HEADERS: Final = ("ID", "Kind", "Agent", "Document or task", "Reason", "Error", "Died (UTC)")
ELASTIC: Final = (2, 3, 5)

Decorated = TypeVar("Decorated", bound=Callable[..., object])

_FILTERS: Final = (
    click.option("--agent", "agent_id", type=AGENT_ID, metavar="ID", default="", help="Only this agent's."),
    click.option("--reason", metavar="CODE", default="", help="Only with this reason, such as `poison_run`."),
    click.option(
        "--kind", type=click.Choice([kind.value for kind in Kind]), help="Only runs, or only messages."
    ),
    click.option("--database", metavar="NAME", default="", help="Only of documents in this database."),
    click.option("--collection", metavar="NAME", default="", help="Only of documents in this collection."),
    click.option("--since", type=SINCE, help=f"Only what died at this time or later: {FORMS}."),
    click.option("--until", type=SINCE, help="Only what died before."),
    click.option("--text", default="", help="Only with this in the error, or at the beginning of an id."),
)
_IDS: Final = click.argument("ids", metavar="[ID]...", nargs=-1)
_ALL: Final = click.option("--all", "all_", is_flag=True, help="All of them, when no filter is given.")
_YES: Final = click.option("--yes", "-y", "--force", "yes", is_flag=True, help="Do not ask.")
_ARCHIVED: Final = click.option("--archived", is_flag=True, help="Those that were discarded instead.")


def _filtered(command: Decorated) -> Decorated:
    """Give a command the options of a filter."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group(cls=SqlGroup)
def dlq() -> None:
    """Look at dead letters, run them again, put them aside. The first characters of an id are enough."""


@dlq.command("list")
@_filtered
@_ARCHIVED
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many at most."
)
@click.option("--skip", type=click.IntRange(0), default=0, help="Leave out so many of the newest.")
@click.option("--wide", is_flag=True, help="Cut no text, however long the lines become.")
def list_(*, limit: int, skip: int, archived: bool, wide: bool, **given: Any) -> None:
    """List dead letters, newest first. Texts that end with `…` are cut; `show` and --wide have all of them."""
    wanted = replace(_filter(**given), archived=archived)
    found, total = dead_letters.newest(wanted, skip=skip, limit=limit), dead_letters.count(wanted)
    elastic = () if wide else ELASTIC
    text = (
        Table(HEADERS, [_row(letter) for letter in found], elastic=elastic) if found else "No dead letters."
    )
    listed = [dead_letter_json(letter) for letter in found]
    show({"dead_letters": listed, "total": total, "skip": skip, "limit": limit}, text=text)
    if found:
        others = "; --limit and --skip show the others" if len(found) < total else ""
        note(f"{len(found):,} of {_letters(total)}{others}.")


@dlq.command("show")
@click.argument("id_", metavar="ID")
@click.option("--traceback", is_flag=True, help="Show where in the code an error came from.")
def show_(id_: str, *, traceback: bool) -> None:
    """Show all that is known of a dead letter: prompt, answer, error, attempts. Times are UTC.

    It knows those too that were let run again.
    """
    letter = dead_letters.find(id_, once=True)
    lines = [*_told(letter)]
    row = letter.letter
    if traceback and isinstance(row, Execution) and row.traceback:
        lines += ["", row.traceback.rstrip()]
    show(story_json(letter), text="\n".join(lines))


@dlq.command()
@_IDS
@_filtered
@_ALL
@click.option("--rate", type=RATE, metavar="N/s", help="Let at most so many start in a second.")
@_YES
def requeue(ids: tuple[str, ...], *, all_: bool, rate: float | None, yes: bool, **given: Any) -> None:
    """Run dead letters again, with all their tries and by the current version of their agent.

    It may be interrupted and called again: what has moved has moved, and --rate is kept.
    """
    if rate is not None and rate < work.SLOWEST:
        raise click.UsageError(f"--rate must be {work.SLOWEST:g}/s or more")
    selection = _selection(ids, all_=all_, wanted=_filter(**given))
    _ask("Run {} again? Each may cost a call of a model", selection, yes=yes)
    with LiveLine() as line:
        report = work.requeue(selection, by=somebody(), rate=rate, now=_now(), tell=_teller(line))
    _tell("Let {} run again", report)


@dlq.command()
@_IDS
@_filtered
@_ALL
@click.option("--why", default="", help="For the record.")
@_YES
def discard(ids: tuple[str, ...], *, all_: bool, why: str, yes: bool, **given: Any) -> None:
    """Put dead letters aside. None is erased: `dlq list --archived` has them, `dlq restore` brings them back."""
    selection = _selection(ids, all_=all_, wanted=_filter(**given))
    _ask("Discard {}?", selection, yes=yes)
    with LiveLine() as line:
        report = work.discard(selection, by=somebody(), why=why, now=_now(), tell=_teller(line))
    _tell("Discarded {}", report)


@dlq.command()
@_IDS
@_filtered
@_ALL
@_YES
def restore(ids: tuple[str, ...], *, all_: bool, yes: bool, **given: Any) -> None:
    """Bring discarded dead letters back."""
    selection = _selection(ids, all_=all_, wanted=replace(_filter(**given), archived=True))
    _ask("Bring {} back?", selection, yes=yes)
    with LiveLine() as line:
        report = work.restore(selection, by=somebody(), now=_now(), tell=_teller(line))
    _tell("Brought {} back", report)


@dlq.command()
@_filtered
@_ARCHIVED
def export(*, archived: bool, **given: Any) -> None:
    """Write dead letters to standard output as lines of JSON, oldest first, with prompts and answers."""
    for letter in dead_letters.every(replace(_filter(**given), archived=archived)):
        click.echo(to_json_line(line_json(letter)))


def _filter(*, kind: str | None, **given: Any) -> Filter:
    wanted = Filter(kind=Kind(kind) if kind else None, **given)
    for problem in unknown_names(wanted):
        raise click.UsageError(f"--{problem.path.removesuffix('_id')}: {problem.message}")
    return wanted


def _selection(ids: tuple[str, ...], *, all_: bool, wanted: Filter) -> Selection:
    """Read which are meant. Raises UsageError: nothing given does not mean everything."""
    filtered = replace(wanted, archived=False) != Filter()
    if ids and (filtered or all_):
        raise click.UsageError("Give either ids, or a filter, or --all")
    if not ids and not filtered and not all_:
        raise click.UsageError("Say which: give ids, a filter such as --agent or --reason, or --all")
    return Selection(ids=dead_letters.all_meant(ids), wanted=wanted)


def _ask(question: str, selection: Selection, *, yes: bool) -> None:
    if not yes:
        number = len(selection.ids) or dead_letters.count(selection.wanted)
        click.confirm(question.format(_letters(number)), abort=True, err=True)


def _teller(line: LiveLine) -> Callable[[Report], None]:
    return lambda report: line.tell(f"{report.moved:,} moved, {report.left.total():,} left as they were")


def _tell(message: str, report: Report) -> None:
    done(message.format(_letters(report.moved)), **report_json(report))
    if wants_json():
        return
    for cause, number in sorted(report.left.items()):
        names = ", ".join(_named(id_, report) for id_ in report.examples[cause])
        note(f"Left {_letters(number)} as they were, {LEFT_MEANINGS[cause]}: {names}")
    if report.last_due_at and report.last_due_at > _now():
        note(f"The last of them may start at {report.last_due_at:%Y-%m-%d %H:%M:%S} UTC.")


def _named(id_: str, report: Report) -> str:
    since = report.discarded_at.get(id_)
    return id_[:SHOWN_ID] + (f" (discarded at {since:%Y-%m-%d %H:%M:%S} UTC)" if since else "")


def _letters(number: int) -> str:
    return f"{number:,} dead letter{'' if number == 1 else 's'}"


def _row(letter: DeadLetter) -> tuple[object, ...]:
    row, died = letter.letter, f"{letter.died_at:%m-%d %H:%M:%S}"
    if isinstance(row, Execution):
        told: tuple[object, ...] = (row.agent_id, row.document_id, row.reason, row.error or None)
    else:
        told = (None, row.task or None, row.reason, row.error or row.excerpt)
    return (letter.id[:SHOWN_ID], letter.kind.value, *told, died)


def _told(letter: DeadLetter) -> Iterator[str]:
    row = letter.letter
    if letter.discard:
        yield f"Discarded  {letter.discard.at:%Y-%m-%d %H:%M:%S} by {letter.discard.by}: {letter.discard.why or '-'}"
    if row.status not in DEAD:
        yield f"Run again  It is no dead letter any more, but {row.status}; what it died of is told below."
    if isinstance(row, Execution):
        yield from story(queries.trace(row))
    else:
        yield from _told_message(row)


def _told_message(row: StrayMessage) -> Iterator[str]:
    yield f"Message    {row.pk}"
    yield f"Reason     {row.reason}"
    facts = (
        ("Task", row.task),
        ("Its id", row.message_id),
        ("Queue", row.queue),
        ("Type", row.content_type),
        ("Error", row.error),
        ("Read at", row.host),
    )
    yield from (f"{name:<10} {fact}" for name, fact in facts if fact)
    yield f"Read       {row.times} times, first {row.first_seen_at:%Y-%m-%d %H:%M:%S}, last {row.last_seen_at:%H:%M:%S}"
    yield f"Body       {row.size:,} bytes: {row.excerpt}"


def _now() -> datetime:
    return datetime.now(UTC)
