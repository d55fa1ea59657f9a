"""Telling a filter that cannot be evaluated from a server that is not to be had."""

from __future__ import annotations

from typing import Final

from pymongo.errors import OperationFailure

_NAMED: Final = frozenset({2, 9, 14, 15, 16, 168, 241})
"""BadValue, FailedToParse, TypeMismatch, Overflow, InvalidLength, InvalidPipelineOperator, ConversionFailure."""

_NUMBERED: Final = "Location"
"""How the server names an assertion that has a number only, as most of its operators' complaints are."""

_MAY_PASS: Final = ("RetryableReadError", "TransientTransactionError")


def is_filter_fault(error: OperationFailure) -> bool:
    """Tell whether the server refused to evaluate the filter, or one document's values in it.

    Missing rights, elections, interruptions, limits of time and memory are no such faults.
    """
    if any(error.has_error_label(label) for label in _MAY_PASS):
        return False
    name = (error.details or {}).get("codeName")
    return error.code in _NAMED or (isinstance(name, str) and name.startswith(_NUMBERED))
