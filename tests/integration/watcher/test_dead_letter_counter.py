"""Dead letters as a metric: of the fleet, once."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from executions_app import dead_letters
from executions_app.models import StrayMessage
from executions_app.states import Reason
from tests.conditions import eventually
from tests.integration.watcher.test_dispatch import NOW
from watcher.observing.dead_letters import DeadLetterCounter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _stray() -> None:
    StrayMessage.objects.create(id="s" * 32, reason=Reason.UNKNOWN_TASK, first_seen_at=NOW, last_seen_at=NOW)


@pytest.mark.usefixtures("_stray")
def test_whoever_dispatches_counts_and_nobody_else() -> None:
    dispatches = False
    counter = DeadLetterCounter(lambda: dispatches, interval=0.05)
    counter.look()
    assert counter.counted == {}

    dispatches = True
    counter.start()
    eventually(lambda: counter.counted == {("", "unknown_task"): 1})
    StrayMessage.objects.all().delete()
    eventually(lambda: counter.counted == {})
    counter.stop()
    counter.join(5)
    assert not counter.is_alive()


@pytest.mark.usefixtures("_stray")
def test_a_database_that_is_away_makes_the_figure_unknown_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = DeadLetterCounter(lambda: True)
    counter.look()
    assert counter.counted

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(dead_letters, "counts", away)
    counter.look()

    assert counter.counted == {}
