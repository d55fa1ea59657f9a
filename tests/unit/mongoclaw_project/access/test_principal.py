from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents_app.sight import visible_agents
from mongoclaw_project.access.authentication import number_of
from mongoclaw_project.access.principal import holder_of, keeper_of


def key(*scopes: str, allowed: set[str], agents: list[str] | None = None) -> Any:
    user = SimpleNamespace(get_username=lambda: "alice", has_perm=allowed.__contains__, pk=7)
    return SimpleNamespace(user=user, prefix="mck_00000000", scopes=list(scopes), agents=agents)


def test_a_key_may_what_both_its_user_and_its_scopes_allow() -> None:
    holder = holder_of(key("read", allowed={"agents_app.view_agent", "agents_app.change_agent"}))
    assert holder.has_perm("agents_app.view_agent")
    assert not holder.has_perm("agents_app.change_agent"), "the scope is missing"
    assert not holder.has_perm("executions_app.view_execution"), "the user's permission is missing"
    assert holder.has_perms(["agents_app.view_agent"])
    assert not holder.has_perms(["agents_app.view_agent", "agents_app.change_agent"])


def test_a_key_is_never_more_than_its_user_even_with_all_scopes() -> None:
    holder = holder_of(key("read", "operate", "write", "admin", allowed={"agents_app.view_agent"}))
    assert not holder.has_perm("auth.change_user")
    assert (holder.is_staff, holder.is_superuser, holder.is_authenticated) == (False, False, True)
    assert (holder.get_username(), holder.pk) == ("alice", 7)


def test_what_is_in_no_level_no_key_may() -> None:
    name = "other_app.change_everything"
    assert not holder_of(key("read", "operate", "write", "admin", allowed={name})).has_perm(name)


@pytest.mark.parametrize(
    ("agents", "visible"), [(None, None), ([], frozenset()), (["a", "b"], frozenset({"a", "b"}))]
)
def test_a_key_may_be_bound_to_agents(agents: list[str] | None, visible: frozenset[str] | None) -> None:
    assert visible_agents(holder_of(key("read", allowed=set(), agents=agents))) == visible


def test_whoever_has_no_key_sees_all_agents() -> None:
    assert visible_agents(SimpleNamespace()) is None
    assert visible_agents(keeper_of(1)) is None


def test_a_key_of_the_settings_has_its_place_for_a_name() -> None:
    assert number_of("second", ["first", "second"]) == 2
    assert number_of("secon", ["first", "second"]) is None
    assert number_of("", []) is None
    keeper = keeper_of(2)
    assert (keeper.get_username(), str(keeper)) == ("settings-key-2", "settings-key-2")
    assert keeper.has_perm("agents_app.delete_agent")
    assert not keeper.has_perm("auth.add_user")
