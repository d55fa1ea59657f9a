"""Logs of every process: structlog's and everybody else's lines through one handler.

In a service they are JSON lines on stdout with `event`, `level`, `timestamp` and `service`; a command
writes warnings to stderr, as text, so that its stdout holds the result alone.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import Processor

from mongoclaw_project.config import Settings, current, current_warnings
from mongoclaw_project.config.service import LogFormat
from mongoclaw_project.scrubbing import scrub

QUIET: Final = {
    # An INFO line per message costs a third of a worker's throughput; the run's own line says more.
    "celery.app.trace": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "amqp": logging.WARNING,
    "kombu": logging.WARNING,
    "pymongo": logging.WARNING,
    "urllib3": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "LiteLLM": logging.WARNING,
    "asyncio": logging.WARNING,
    # It warns four times of each worker that is not there yet.
    "flower.inspector": logging.ERROR,
}

TOLD_BY_COMMANDS: Final = ("executions_app.limits.limiter", "executions_app.holds")
"""Loggers whose warnings a command would only say twice: its own words say what was done, or name the remedy."""

CONSOLE_TIME: Final = "%Y-%m-%d %H:%M:%SZ"


class StandardStreamHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever stdout or stderr is at the time, as tests and daemons exchange them."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._stream_name = name
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        """The stream of now."""
        stream: TextIO = getattr(sys, self._stream_name)
        return stream

    @stream.setter
    def stream(self, value: TextIO) -> None:  # noqa: ARG002  # the signature of a setter
        raise AttributeError("the stream is chosen by name")


def configure(settings: Settings) -> None:
    """Log as a service does: to stdout, in the configured format and level."""
    rendered = settings.observability.log_format is LogFormat.JSON
    _install(
        StandardStreamHandler("stdout"),
        level=settings.observability.log_level.value,
        service=settings.observability.service_name,
        renderer=_json_renderer() if rendered else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()),
        plain_exceptions=rendered,
    )


def configure_for_terminal(level: str = "WARNING") -> None:
    """Log as a command does: to stderr, as text, warnings and worse."""
    _install(
        StandardStreamHandler("stderr"),
        level=level,
        service=current().observability.service_name,
        renderer=structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        plain_exceptions=False,
    )
    for name in TOLD_BY_COMMANDS:
        logging.getLogger(name).setLevel(logging.ERROR if level != "DEBUG" else logging.DEBUG)


def configure_django(_: object = None) -> None:
    """What Django calls during its set-up: configures logs unless the process has done so already."""
    for name in ("django", "django.server"):  # Django has just given them handlers of its own
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    if _ours():
        return
    configure(current())
    log = structlog.get_logger(__name__)
    for warning in current_warnings():
        log.warning("settings.old_name", hint=warning)


def _install(
    handler: logging.Handler, *, level: str, service: str, renderer: Processor, plain_exceptions: bool
) -> None:
    shared = _shared(service, plain_exceptions=plain_exceptions)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _scrub_event, renderer],
        )
    )
    root = logging.getLogger()
    for old in _ours():
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, root.level) if level != "DEBUG" else logging.DEBUG)
    logging.captureWarnings(capture=False)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _shared(service: str, *, plain_exceptions: bool) -> list[Processor]:
    def add_service(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if plain_exceptions:  # people know which service they are looking at
            event.setdefault("service", service)
        return event

    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_service,
        structlog.processors.TimeStamper(fmt="iso" if plain_exceptions else CONSOLE_TIME, utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if plain_exceptions:
        processors.append(structlog.processors.format_exc_info)
    return processors


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _scrub_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    scrubbed: MutableMapping[str, Any] = scrub(event)
    return scrubbed


def _ours() -> list[logging.Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, StandardStreamHandler)]
