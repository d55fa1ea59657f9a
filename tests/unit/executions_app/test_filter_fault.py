"""Which refusals are the filter's fault, and which the server's or the rights'."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure

from executions_app.filter_fault import is_filter_fault


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (2, "BadValue"),
        (14, "TypeMismatch"),
        (168, "InvalidPipelineOperator"),
        (241, "ConversionFailure"),
        (17124, "Location17124"),
        (51091, "Location51091"),
    ],
)
def test_an_expression_that_cannot_be_evaluated_is_the_filters_fault(code: int, name: str) -> None:
    assert is_filter_fault(OperationFailure("no", code, {"codeName": name}))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (13, "Unauthorized"),
        (50, "MaxTimeMSExpired"),
        (112, "WriteConflict"),
        (146, "ExceededMemoryLimit"),
        (175, "QueryPlanKilled"),
        (11601, "Interrupted"),
        (11602, "InterruptedDueToReplStateChange"),
    ],
)
def test_missing_rights_interruptions_and_limits_are_not(code: int, name: str) -> None:
    assert not is_filter_fault(OperationFailure("no", code, {"codeName": name}))


def test_what_the_server_calls_worth_trying_again_is_not() -> None:
    again = {"codeName": "Location13388", "errorLabels": ["RetryableReadError"]}
    assert not is_filter_fault(OperationFailure("no", 13388, again))
