"""Examining the broker and its queues: what waits in them, and who takes it."""

from __future__ import annotations

import difflib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from amqp.exceptions import ChannelError
from kombu import Connection
from redis.sentinel import MasterNotFoundError

from executions_app.routes import Routes
from executions_app.routing import QUEUE
from mongoclaw_project.broker_connection import UNREACHABLE, AccessRefused, briefly_connected
from mongoclaw_project.celery_queues import DEAD
from mongoclaw_project.cli import sql
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.cli.info import place
from mongoclaw_project.config import current

PATIENCE_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 1.0
"""How long workers have to say which queues they consume."""

PRIORITY_MARK: Final = "\x06\x16"
"""Between a queue's name and its priority, in the names that kombu gives to lists in Redis."""

MOST_NAMED: Final = 10

Depths = Mapping[str, tuple[int, bool]]
"""By queue: how many messages wait, and whether somebody consumes it."""

Consumers = Mapping[str, Sequence[str]]
"""By queue: the workers that say they consume it."""


def examine_broker() -> Iterator[Finding]:
    """Look at a broker that is not the Redis of the limits."""
    settings = current()
    if not settings.broker.url:
        return
    where = place(settings.broker.url)
    try:
        with briefly_connected(PATIENCE_SECONDS) as connection:
            yield good(f"{where} answers: {_product(connection)}")
    except AccessRefused:
        yield bad(f"{where} refuses the user name or password", "correct them in MONGOCLAW_BROKER__URL")
    except MasterNotFoundError:
        yield bad(
            f"the Sentinels at {where} know no master '{settings.broker.sentinel_master}'",
            "correct MONGOCLAW_BROKER__SENTINEL_MASTER, or the Sentinels' own configuration",
        )
    except UNREACHABLE:
        yield bad(f"{where} cannot be reached", "start the broker there, or correct MONGOCLAW_BROKER__URL")


def examine_queues() -> Iterator[Finding]:
    """Say how many messages wait, where nobody takes them, and who waits where none will come."""
    try:
        with sql.explained():
            wanted = Routes(current(), monotonic=time.monotonic).queues() | {QUEUE}
        # A connection of its own: one over which answers were awaited is of no other use on Redis.
        with briefly_connected(PATIENCE_SECONDS) as connection:
            consumers = _consumers(connection)
        with briefly_connected(PATIENCE_SECONDS) as connection:
            look = _on_redis if _is_redis(connection) else _declared
            depths = look(connection, wanted, consumers)
    except sql.SqlUnusable as error:
        yield bad(f"the queues are not known: {error.what}", error.remedy)
        return
    except (*UNREACHABLE, AccessRefused):
        yield bad("the broker cannot be asked for its queues", "see Redis and Broker above")
        return
    yield from _queues(depths)
    yield from astray(consumers, wanted)


def astray(consumers: Consumers, wanted: frozenset[str]) -> Iterator[Finding]:
    """Name the queues that workers consume and that no message goes into: a slip in `-Q` would wait for ever."""
    known = ", ".join(sorted(wanted)[:MOST_NAMED]) + (" …" if len(wanted) > MOST_NAMED else "")
    for name, workers in sorted(consumers.items()):
        if name not in wanted | {DEAD}:
            near = difflib.get_close_matches(name, wanted, n=1)
            meant = f"did you mean {near[0]}?" if near else f"messages go into {known}"
            yield doubtful(
                f"{', '.join(sorted(workers))} consumes {name}, which no message goes into",
                f"correct -Q of that worker, or its agent is not at work: {meant}",
            )


def _queues(depths: Depths) -> Iterator[Finding]:
    dead = depths.get(DEAD, (0, True))[0]
    waiting = {name: found for name, found in depths.items() if name != DEAD}
    total = sum(depth for depth, _ in waiting.values())
    where = f"the queue {QUEUE}" if set(waiting) == {QUEUE} else f"{len(waiting)} queues"
    yield good(f"{total} messages wait in {where}")
    for name, (depth, is_consumed) in sorted(waiting.items()):
        if depth and not is_consumed:
            yield doubtful(
                f"{depth} messages wait in {name}, which no worker consumes",
                f"start one: `celery -A mongoclaw_project worker -Q {name}`; nothing is lost meanwhile, and "
                "messages whose runs were done otherwise do nothing",
            )
    if dead:
        yield doubtful(
            f"RabbitMQ gave up {dead} messages after so many deliveries; they lie in {DEAD}",
            "look for workers that end while they run; the runs themselves come again from SQL",
        )


def _on_redis(connection: Connection, wanted: frozenset[str], consumers: Consumers) -> Depths:
    """Count in all lists of ours, those of other strategies too; Redis does not know who consumes."""
    client: Any = connection.default_channel.client  # type: ignore[attr-defined]  # unknown to its stubs
    depths = dict.fromkeys(wanted, 0)
    for key in client.scan_iter(match=f"{QUEUE}*", _type="list"):
        name = key.decode().partition(PRIORITY_MARK)[0]
        depths[name] = depths.get(name, 0) + int(client.llen(key))
    return {name: (depth, name in consumers) for name, depth in depths.items()}


def _declared(connection: Connection, wanted: frozenset[str], consumers: Consumers) -> Depths:
    """Ask RabbitMQ for each queue that the strategy or a worker names; it says itself whether somebody consumes."""
    depths = {}
    for name in {*wanted, *consumers, DEAD}:
        channel: Any = connection.channel()  # asking for a queue that is not there costs the channel
        try:
            told = channel.queue_declare(queue=name, passive=True)
        except ChannelError:
            continue
        channel.close()
        depths[name] = (int(told.message_count), int(told.consumer_count) > 0)
    return depths or {QUEUE: (0, True)}


def _consumers(connection: Connection) -> dict[str, list[str]]:
    from mongoclaw_project.celery import app

    # Without it the question goes over this connection too, and not over one of a pool, whose patience has no bound.
    control: Any = app.control  # its stubs do not know all of it
    control.mailbox.producer_pool = None
    inspect = control.inspect(timeout=ANSWER_SECONDS, connection=connection)
    answers: Mapping[str, Any] = inspect.active_queues() or {}
    consumers: defaultdict[str, list[str]] = defaultdict(list)
    for worker, queues in answers.items():
        for queue in queues:
            consumers[queue["name"]].append(worker)
    return dict(consumers)


def _is_redis(connection: Connection) -> bool:
    return bool(connection.transport.driver_type == "redis")


def _product(connection: Connection) -> str:
    if _is_redis(connection):
        return "Redis or Valkey"
    told: Mapping[str, Any] = connection.connection.server_properties
    return f"{told.get('product')} {told.get('version')}"
