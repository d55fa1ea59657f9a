"""A worker that is asked to stop: what has begun is finished, what cannot be in time is handed back."""

from __future__ import annotations

from tests.acceptance.conftest import Fleet


def test_a_worker_that_is_stopped_finishes_its_calls_and_leaves_the_rest_to_others(fleet: Fleet) -> None:
    fleet.publish()
    fleet.model.set_latency("500")
    fleet.start_watcher()
    fleet.start_worker("old", threads=8)
    fleet.insert(60)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] >= 8)

    fleet.stop("old")
    assert not fleet.count("SELECT count(*) FROM executions_app_execution WHERE status = 'running'")
    assert 8 <= fleet.enriched() < 60
    fleet.start_worker("new", threads=8)

    fleet.wait_for(lambda: fleet.enriched() == 60)
    assert fleet.model.calls()["total"] == 60, "no call was cut off and made again"


def test_a_worker_whose_calls_hang_leaves_in_time_and_hands_its_runs_back(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__SHUTDOWN_TIMEOUT"] = "1"
    fleet.publish()
    fleet.model.script("hang", times=4)
    fleet.start_watcher()
    fleet.start_worker("old", threads=8)
    fleet.insert(4)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 4)

    fleet.stop("old")

    assert "worker.left_in_time" in fleet.log("old")
    assert not fleet.count("SELECT count(*) FROM executions_app_execution WHERE status = 'running'")
    assert not fleet.count("SELECT count(*) FROM executions_app_workerprocess WHERE role = 'worker'")
    fleet.start_worker("new", threads=8)
    fleet.wait_for(lambda: fleet.enriched() == 4)


def test_a_worker_whose_ledger_is_away_leaves_in_time_all_the_same(fleet: Fleet) -> None:
    fleet.environ["MONGOCLAW_WORKER__SHUTDOWN_TIMEOUT"] = "1"
    fleet.publish()
    fleet.model.script("hang", times=1)
    fleet.start_watcher()
    worker = fleet.start_worker("old", threads=8)
    fleet.insert(1)
    fleet.wait_for(lambda: fleet.model.calls()["in_flight"] == 1)
    fleet.rows("ALTER TABLE executions_app_execution RENAME TO away")

    fleet.stop("old")
    fleet.rows("ALTER TABLE away RENAME TO executions_app_execution")

    assert worker.process.returncode == 0, "nobody had to kill it"
    assert "worker.left_runs_behind" in fleet.log("old")
    fleet.start_worker("new", threads=8)
    fleet.wait_for(lambda: fleet.enriched() == 1)
