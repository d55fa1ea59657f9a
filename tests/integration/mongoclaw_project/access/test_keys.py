"""API keys on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from mongoclaw_project.access import keys
from mongoclaw_project.access.keys import ApiKeyInvalid, ApiKeyNotFound, Minted, Wish
from mongoclaw_project.access.models import ApiKey

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create(username="alice")


def made(user: User, **changes: object) -> Minted:
    wish = {"user": user, "name": "Grafana", "scopes": ["read"], **changes}
    return keys.mint(Wish(**wish), now=NOW)  # type: ignore[arg-type]


def test_a_key_is_recognised_and_its_secret_is_not_kept(alice: User) -> None:
    minted = made(alice)
    assert keys.recognise(minted.text, now=NOW) == minted.key
    assert minted.text.startswith(f"{minted.key.prefix}_")
    secret = minted.text.removeprefix(minted.key.prefix)
    assert len(secret) == 44
    stored = str(ApiKey.objects.values().get())
    assert secret[1:] not in stored
    assert secret[1:] not in repr(minted)


@pytest.mark.parametrize("wrong", ["", "mck", "mck_00000000_" + "x" * 43, "é" * 56, "x" * 10_000])
def test_what_is_no_key_is_not_recognised(alice: User, wrong: str) -> None:
    made(alice)
    assert keys.recognise(wrong, now=NOW) is None


def test_a_key_with_the_right_prefix_and_a_wrong_secret_is_not_recognised(alice: User) -> None:
    text = made(alice).text
    other = "A" if text[-2] != "A" else "B"
    assert keys.recognise(f"{text[:-2]}{other}{text[-1]}", now=NOW) is None


def test_a_key_ends_when_it_expires_is_revoked_or_its_user_leaves(alice: User) -> None:
    minted = made(alice, expires_at=NOW + HOUR)
    assert keys.recognise(minted.text, now=NOW + HOUR - timedelta(seconds=1))
    assert keys.recognise(minted.text, now=NOW + HOUR) is None

    endless = made(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert keys.recognise(endless.text, now=NOW) is None
    User.objects.filter(pk=alice.pk).update(is_active=True)
    assert keys.recognise(endless.text, now=NOW)
    assert keys.revoke(endless.key, now=NOW)
    assert not keys.revoke(endless.key, now=NOW + HOUR)
    assert endless.key.revoked_at == NOW
    assert keys.recognise(endless.text, now=NOW) is None


def test_use_is_put_on_record_once_a_minute(alice: User, django_assert_num_queries: type[object]) -> None:
    minted = made(alice)

    def used(seconds: int, queries: int) -> datetime | None:
        with django_assert_num_queries(queries):  # type: ignore[call-arg, attr-defined]
            keys.recognise(minted.text, now=NOW + timedelta(seconds=seconds))
        minted.key.refresh_from_db()
        return minted.key.last_used_at

    assert used(0, queries=2) == NOW
    assert used(59, queries=1) == NOW
    assert used(60, queries=2) == NOW + timedelta(seconds=60)


def test_a_rotated_key_is_a_new_one_with_the_same_rights_and_the_same_lifetime(alice: User) -> None:
    old = made(alice, scopes=["write", "read"], agents=["b", "a"], expires_at=NOW + HOUR)
    later = NOW + timedelta(minutes=10)
    new = keys.rotate(old.key, now=later)
    assert (new.key.name, new.key.scopes, new.key.agents) == ("Grafana", ["read", "write"], ["a", "b"])
    assert new.key.expires_at == later + HOUR
    assert keys.recognise(old.text, now=later) is None
    assert keys.recognise(new.text, now=later)
    with pytest.raises(ApiKeyInvalid, match="is revoked"):
        keys.rotate(old.key, now=later)


def test_a_rotated_key_may_live_on_for_a_while(alice: User) -> None:
    old = made(alice)
    keys.rotate(old.key, now=NOW, overlap=HOUR)
    assert keys.recognise(old.text, now=NOW + HOUR - timedelta(seconds=1))
    assert keys.recognise(old.text, now=NOW + HOUR) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": " "}, "name: "),
        ({"name": "x" * 129}, "name: "),
        ({"scopes": []}, "scopes: must be some of read, operate, write, admin"),
        ({"scopes": ["read", "root"]}, "scopes: "),
        ({"expires_at": NOW}, "expires_at: must be in the future"),
    ],
)
def test_a_key_that_cannot_be_names_what_is_wrong(alice: User, change: dict[str, object], told: str) -> None:
    with pytest.raises(ApiKeyInvalid, match=told):
        made(alice, **change)
    assert not ApiKey.objects.exists()


def test_a_key_is_found_by_the_beginning_of_its_prefix(alice: User) -> None:
    key = made(alice).key
    assert keys.find(key.prefix) == key
    assert keys.find(key.prefix[:9]) == key
    with pytest.raises(ApiKeyNotFound, match="too short"):
        keys.find("mck_")
    with pytest.raises(ApiKeyNotFound, match="No key begins"):
        keys.find("mck_xyzxyz")
