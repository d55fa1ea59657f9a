"""The error tree: messages, decisions, codes."""

from __future__ import annotations

import pickle

import pytest

from agents_app.errors import AgentNotFound, Decision, MongoClawError, SpecInvalid, SpecProblem


def _tree(root: type[MongoClawError]) -> list[type[MongoClawError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


class KettleEmpty(MongoClawError):
    """The kettle is empty.

    Fill it.
    """

    decision = Decision.RETRY
    code = "kettle_empty"


def test_the_first_line_of_the_docstring_is_the_message() -> None:
    assert str(KettleEmpty()) == "The kettle is empty."


def test_a_message_of_its_own_wins_and_details_are_kept() -> None:
    error = KettleEmpty("No water", litres=0)
    assert (str(error), error.details) == ("No water", {"litres": 0})


def test_every_error_of_agents_has_a_code_of_its_own_and_a_sentence() -> None:
    ours = [cls for cls in _tree(MongoClawError) if cls.__module__ == "agents_app.errors"]
    codes = [cls.code for cls in ours]
    assert len(set(codes)) == len(codes)
    for cls in ours:
        assert (cls.__doc__ or "").splitlines()[0].endswith(".")
        assert isinstance(cls.decision, Decision)


def test_an_unknown_agent_is_named() -> None:
    assert str(AgentNotFound(agent_id="triage")) == "Agent 'triage' not found"


def test_all_problems_stand_on_one_line_with_their_places() -> None:
    error = SpecInvalid(errors=[SpecProblem("ai.prompt", "is required"), SpecProblem("id", "is bad", 3, 7)])
    assert str(error) == "ai.prompt: is required; id: is bad (line 3, column 7)"


@pytest.mark.parametrize(
    "error",
    [KettleEmpty("x", a=1), AgentNotFound(agent_id="a"), SpecInvalid(errors=[SpecProblem("a", "b")])],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_the_way_between_processes(error: MongoClawError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
