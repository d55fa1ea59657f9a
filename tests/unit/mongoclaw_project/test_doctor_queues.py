from __future__ import annotations

from mongoclaw_project.cli.doctor.queues import astray

WANTED = frozenset({"mongoclaw", "mongoclaw.agent.support"})


def test_a_misspelt_queue_of_a_worker_is_named_with_the_worker_and_the_right_one() -> None:
    [found] = astray({"mongoclaw": ["celery@a"], "mongoclaw.agent.suport": ["celery@b"]}, WANTED)

    assert found.message == "celery@b consumes mongoclaw.agent.suport, which no message goes into"
    assert "did you mean mongoclaw.agent.support?" in found.remedy


def test_a_queue_like_no_other_is_named_with_those_there_are() -> None:
    [found] = astray({"emails": ["celery@b"]}, WANTED)

    assert "messages go into mongoclaw, mongoclaw.agent.support" in found.remedy


def test_the_queue_of_what_rabbitmq_gave_up_is_nobodys_slip() -> None:
    assert list(astray({"mongoclaw.dead": ["celery@a"], "mongoclaw": ["celery@a"]}, WANTED)) == []
