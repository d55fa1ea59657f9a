"""Signs of life: a row per process whose number grows while the process runs."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from django.db import Error, connection
from django.db.models import F

from executions_app.database import drop_broken_connection, write_turn
from executions_app.models import WorkerProcess

log = structlog.get_logger(__name__)

STOP_PATIENCE: Final = 5.0


class Heartbeat:
    """Beats every `interval` seconds in a thread of its own until stopped; stopping takes the row away.

    A process that ends without stopping leaves its row: dispatch sees the number stand still and reclaims.
    """

    def __init__(
        self, process_id: str, *, role: str, interval: float, now: Callable[[], datetime], slots: int = 0
    ) -> None:
        self._id = process_id
        self._role = role
        self._slots = slots
        self._interval = interval
        self._now = now
        self._leaving = False
        self.beaten_at: datetime | None = None
        """When the ledger took the last beat."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Write the row, so that no claim can come before it, and begin to beat."""
        self._register()
        self._thread.start()

    def leave(self) -> None:
        """Say from the next beat on that the process was asked to stop: its runs are not to blame for its end.

        Safe in a signal handler.
        """
        self._leaving = True

    def stop(self) -> None:
        """Stop beating and take the row away; what the process still holds is reclaimed as from a dead one."""
        self._stop.set()
        self._thread.join(STOP_PATIENCE)
        self.withdraw()

    def withdraw(self) -> None:
        """Take the row away, so that nobody takes the silence to come for a death."""
        try:
            with write_turn():
                WorkerProcess.objects.filter(id=self._id).delete()
        except Error:
            log.warning("heartbeat.row_left_behind", worker=self._id)

    def beat(self) -> None:
        """Let the number grow by one; bring the row back if somebody took it away."""
        now = self._now()
        with write_turn():
            found = WorkerProcess.objects.filter(id=self._id).update(
                beat=F("beat") + 1, beat_at=now, leaving=self._leaving
            )
            if not found:
                self._register()
        self.beaten_at = now

    def _register(self) -> None:
        now = self._now()
        WorkerProcess.objects.create(
            id=self._id,
            role=self._role,
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=self._slots,
            started_at=now,
            beat_at=now,
            leaving=self._leaving,
        )
        self.beaten_at = now

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.beat()
            except Error as error:
                log.warning("heartbeat.missed", worker=self._id, error=type(error).__name__)
                drop_broken_connection()
        connection.close()
