from __future__ import annotations

from docs.generate.reasons import error_classes
from executions_app.reasons import OF_TASKS


def test_every_code_of_the_errors_of_tasks_may_be_asked_for() -> None:
    kinds = {kind for kind in error_classes() if kind.__module__.split(".")[0] == "tasks"}
    assert {kind.code for kind in kinds} == OF_TASKS
