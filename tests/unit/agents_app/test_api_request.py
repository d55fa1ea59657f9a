from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agents_app.api_request import somebody
from agents_app.models import AgentVersion
from executions_app.models import Hold


def test_the_longest_name_of_a_user_fits_into_the_records_of_who_did_it() -> None:
    request: Any = SimpleNamespace(user=SimpleNamespace(get_username=lambda: "x" * 150))
    columns = (AgentVersion._meta.get_field("published_by"), Hold._meta.get_field("by"))
    assert {column.max_length for column in columns} == {len(somebody(request))}
    assert somebody(request).startswith("api:xxx")
