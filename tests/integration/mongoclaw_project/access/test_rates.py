"""How often one may ask, and try to sign in."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from redis import Redis
from structlog.testing import capture_logs

from mongoclaw_project.access import sign_in
from mongoclaw_project.access.address import address_of
from mongoclaw_project.access.counting import PREFIX, Counter
from tests.integration.mongoclaw_project.access.conftest import Given, client_with, key_of, member

SEEN = "/api/v1/backfills"
LOGIN = "/ui/login"
GONE = "redis://127.0.0.1:1/0"


def codes(client: Client, number: int) -> list[int]:
    return [client.get(SEEN).status_code for _ in range(number)]


@pytest.fixture
def limited(given: Given, redis_url: str) -> None:
    """Three requests a minute."""
    given(API__RATE_LIMIT_REQUESTS="3", API__RATE_LIMIT_WINDOW_SECONDS="60", REDIS__URL=redis_url)


@pytest.mark.django_db
def test_each_key_and_each_user_may_ask_so_often_in_a_window(limited: None) -> None:
    alice = member("alice", "viewer")
    first, second, session = client_with(key_of(alice, "read")), client_with(key_of(alice, "read")), Client()
    session.force_login(alice)
    assert codes(first, 4) == [200, 200, 200, 429]
    assert codes(second, 4) == [200, 200, 200, 429]
    assert codes(session, 4) == [200, 200, 200, 429]
    refused = first.get(SEEN)
    assert 55 <= int(refused["Retry-After"]) <= 60
    assert refused.json()["detail"].startswith("Request was throttled.")


@pytest.mark.django_db
def test_without_redis_everybody_is_let_through_and_the_log_says_so_once(given: Given) -> None:
    given(API__RATE_LIMIT_REQUESTS="1", REDIS__URL=GONE)
    client = client_with(key_of(member("alice", "viewer"), "read"))
    with capture_logs() as lines:
        assert codes(client, 3) == [200, 200, 200]
    assert [line["event"] for line in lines].count("access.uncounted") == 1


def test_a_window_begins_with_the_first_one_counted_and_ends(redis_url: str) -> None:
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        counter = Counter(redis, monotonic=lambda: 0.0)
        [first, second] = [counter.add("a", window_seconds=60) for _ in range(2)]
        assert first is not None
        assert second is not None
        assert (first.number, second.number) == (1, 2)
        assert 59 < second.seconds_left <= first.seconds_left <= 60
        redis.delete(f"{PREFIX}a")  # as its end does
        again = counter.add("a", window_seconds=60)
        assert again is not None
        assert again.number == 1
        looked = counter.look("never counted")
        assert looked is not None
        assert (looked.number, looked.seconds_left) == (0, 0)


@pytest.fixture
def alice(db: None, given: Given, redis_url: str, settings: Any) -> User:
    """A user whose password costs nothing to check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    given(REDIS__URL=redis_url)
    user = member("alice", "viewer")
    user.set_password("right")
    user.save()
    return user


def tried(password: str, name: str = "alice", address: str = "10.0.0.1") -> Any:
    return Client(REMOTE_ADDR=address).post(LOGIN, {"username": name, "password": password})


def test_a_name_may_be_tried_ten_times_and_the_page_says_when_again(alice: User) -> None:
    for _ in range(sign_in.MOST_OF_A_NAME):
        assert b"Too many" not in tried("wrong").content
    held = tried("right")
    assert b"Too many failed attempts to sign in. Try again in 5 minutes." in held.content
    assert tried("right", name="ALICE").status_code == 200, "in capitals either"
    assert tried("right", address="10.0.0.2").status_code == 302, "others are not locked out"


def test_whoever_signs_in_begins_anew(alice: User) -> None:
    for _ in range(sign_in.MOST_OF_A_NAME - 1):
        tried("wrong")
    assert tried("right").status_code == 302
    tried("wrong")
    assert tried("right").status_code == 302


def test_an_address_that_tries_many_names_is_held(alice: User) -> None:
    for number in range(sign_in.MOST_OF_AN_ADDRESS):
        tried("wrong", name=f"user{number}")
    assert b"Too many" in tried("right").content


def test_passwords_over_http_are_counted_with_those_of_the_page(alice: User) -> None:
    def asked(password: str) -> Any:
        known = base64.b64encode(f"alice:{password}".encode()).decode()
        return Client(REMOTE_ADDR="10.0.0.1", headers={"Authorization": f"Basic {known}"}).get(SEEN)

    assert asked("right").status_code == 200
    for _ in range(5):
        tried("wrong")
        assert asked("wrong").status_code == 401
    held = asked("right")
    assert held.status_code == 429
    assert 290 <= int(held["Retry-After"]) <= 300
    assert "Too many failed attempts to sign in" in held.json()["detail"]


@pytest.mark.parametrize(
    ("trusted", "given_header", "seen"),
    [
        ("false", "1.2.3.4", "10.0.0.1"),
        ("true", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("true", "", "10.0.0.1"),
    ],
)
def test_the_address_is_the_one_that_a_trusted_proxy_has_seen(
    given: Given, rf: Any, trusted: str, given_header: str, seen: str
) -> None:
    given(API__BEHIND_TLS_PROXY=trusted)
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": given_header})
    assert address_of(request) == seen
