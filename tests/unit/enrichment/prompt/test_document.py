from __future__ import annotations

import pytest
from bson import ObjectId

from enrichment.plain import ValueTooLarge
from enrichment.prompt.document import DocumentView


def test_a_value_with_too_many_parts_is_refused_with_the_name_of_the_field() -> None:
    view = DocumentView({"samples": [0] * 200_001})

    with pytest.raises(ValueTooLarge, match=r"document\.samples: .* 200,000 values"):
        view["samples"]


def test_the_fields_of_one_document_share_one_allowance() -> None:
    view = DocumentView({str(number): [0] * 50_000 for number in range(10)})

    assert len(view["0"]) == 50_000  # type: ignore[arg-type]
    with pytest.raises(ValueTooLarge, match="200,000 values"):
        view.plain()


def test_fields_named_like_methods_are_fields() -> None:
    view = DocumentView({"items": [1], "keys": 2})

    assert view["items"] == [1]
    assert view["keys"] == 2


def test_reading_fields_is_noted_missing_ones_too() -> None:
    view = DocumentView({"a": 1, "b": {"c": 2}})

    assert view["a"] == 1
    assert "missing" not in view
    assert view.get("gone") is None

    assert view.reads == frozenset({"a", "missing", "gone"})


@pytest.mark.parametrize("take", [str, list, len, bool, dict, DocumentView.plain])
def test_the_whole_document_leaves_hidden_fields_out_and_counts_as_read(take: object) -> None:
    view = DocumentView({"a": 1, "summary": "ours"}, frozenset({"summary"}))

    assert callable(take)
    assert "summary" not in str(take(view))
    assert view.reads is None


def test_naming_a_hidden_field_reads_it() -> None:
    view = DocumentView({"a": 1, "summary": "ours"}, frozenset({"summary"}))

    assert view["summary"] == "ours"
    assert view.reads == frozenset({"summary"})


def test_the_document_prints_as_json() -> None:
    view = DocumentView({"name": "Zoë", "id": ObjectId("64b7f0c2a1b2c3d4e5f60718")})

    assert str(view) == '{"name": "Zoë", "id": "64b7f0c2a1b2c3d4e5f60718"}'
