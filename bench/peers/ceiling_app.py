"""Plain Celery: a task that sleeps as long as the model takes. Run as a program it publishes that task N times."""

from __future__ import annotations

import os
import sys
import time

from celery import Celery

app = Celery("ceiling", broker=os.environ["CEILING_BROKER"])
app.conf.update(
    task_default_queue="ceiling",
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)


@app.task(name="ceiling.wait")
def wait(seconds: float) -> None:
    """Take a slot as a call of the model does."""
    time.sleep(seconds)


if __name__ == "__main__":
    print(time.perf_counter(), flush=True)
    for _ in range(int(sys.argv[1])):
        wait.apply_async((float(sys.argv[2]),))
