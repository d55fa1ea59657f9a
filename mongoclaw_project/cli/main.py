"""`mongoclaw`: the commands, and what becomes of their errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, NoReturn

import click

from mongoclaw_project import __version__
from mongoclaw_project.cli.lazy import Later, LazyGroup
from mongoclaw_project.cli.output import report

COMMANDS: Final = (
    Later("agents", "Create, change, list and check agents."),
    Later("backfill", "Run an agent on documents that exist."),
    Later("backfills", "Look at backfills and steer them."),
    Later("completion", "Print what lets a shell complete commands.", needs_django=False),
    Later("config", "Show the settings; secrets are masked.", needs_django=False),
    Later("demo", "Enrich 200 documents before your eyes, on servers of their own.", needs_django=False),
    Later("dev", "Run the whole system in this terminal.", needs_django=False),
    Later("dispatch", "Pause runs, of one agent or of all, and let them go on."),
    Later(
        "doctor", "Look for what keeps MongoClaw from working, and say how to mend it.", refuses_danger=False
    ),
    Later("dlq", "Look at dead letters, run them again, put them aside."),
    Later("executions", "List and show the runs of agents."),
    Later("health", "Ask whether servers answer, a watcher and a worker live, and streams are read."),
    Later("images", "Keep documents as they were before and after each change, or stop that."),
    Later("info", "Show what is installed and where it works.", needs_django=False),
    Later("keys", "Make and end the API keys of users."),
    Later("limits", "See what holds model calls up, and end it."),
    Later("manage", "Run one of Django's management commands.", needs_django=False),
    Later("migrate", "Create or update the tables of the SQL database."),
    Later("policies", "Look at the policies that agents share, publish them and go back on them."),
    Later("retention", "Show what is kept for how long, and delete what is old."),
    Later("server", "Start the processes of one machine, or question the web server.", needs_django=False),
    Later("stats", "Show how many runs ended how, how quick they were, and what they cost."),
    Later("streams", "Look at the change streams and steer them."),
    Later("test", "Try an agent, the model or the connections; nothing is written."),
)


@click.group(cls=LazyGroup, later=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mongoclaw")
def mongoclaw() -> None:
    """Keep MongoDB documents enriched by language models."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 it worked, 1 it failed, 2 it was called wrongly, 130 it was interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = mongoclaw.main(args=given, prog_name="mongoclaw", standalone_mode=False)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; nothing is left to say
        sys.exit(1)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the last place that can explain it
        sys.exit(report(error, as_json="--json" in given, debug="--debug" in given))
    sys.exit(result if isinstance(result, int) else 0)
