from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client
from structlog.testing import capture_logs

from mongoclaw_project import cross_origin, problems
from mongoclaw_project.config import load_settings


def test_an_unknown_address_is_json_for_programs_and_html_for_people(client: Client) -> None:
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    page = client.get("/nothing", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


def test_the_front_door_leads_to_the_console(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/ui/")


def test_an_unexpected_error_tells_nothing_of_the_inside(rf: Callable[..., HttpRequest]) -> None:
    request = rf.get("/api/v1/agents")  # type: ignore[attr-defined]
    answer = problems.server_error(request)
    assert answer.status_code == 500
    assert b'"error": "InternalServerError"' in answer.content  # type: ignore[attr-defined]


def test_every_answer_carries_a_request_id_and_keeps_the_given_one(client: Client) -> None:
    assert len(client.get("/version")["X-Request-ID"]) == 32
    assert client.get("/version", headers={"X-Request-ID": "abc-1"})["X-Request-ID"] == "abc-1"
    assert client.get("/version", headers={"X-Request-ID": "a b\n"})["X-Request-ID"] != "a b\n"


def test_a_request_is_one_log_line() -> None:
    with capture_logs() as lines:
        Client().get("/version")
    (line,) = [line for line in lines if line["event"] == "http.request"]
    assert (line["method"], line["path"], line["status_code"]) == ("GET", "/version", 200)
    assert line["duration_ms"] >= 0
    assert line["log_level"] == "info"


def test_being_asked_for_health_is_no_news() -> None:
    with capture_logs() as lines:
        Client().get("/health/live")
    assert [line["log_level"] for line in lines if line["event"] == "http.request"] == ["debug"]


@pytest.mark.django_db
def test_the_admin_greets_its_users(client: Client) -> None:
    login = client.get("/admin/", follow=True)
    assert login.status_code == 200
    assert b"MongoClaw" in login.content
    client.force_login(User.objects.create_superuser("alice", password="correct horse battery"))
    assert client.get("/admin/").status_code == 200


@pytest.mark.django_db
def test_static_files_are_served_without_collecting_them(client: Client) -> None:
    response = client.get("/static/admin/css/base.css")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/css")
    response.close()


def test_every_origin_may_read_but_none_with_credentials_by_default(client: Client) -> None:
    response = client.get("/version", headers={"Origin": "https://a.example"})
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response


def test_only_listed_origins_may_read_once_there_is_a_list(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings({"MONGOCLAW_API__CORS_ORIGINS": "https://a.example"})
    monkeypatch.setattr(cross_origin, "current", lambda: settings)
    listed = client.get("/version", headers={"Origin": "https://a.example"})
    assert listed["Access-Control-Allow-Origin"] == "https://a.example"
    assert listed["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in listed["Vary"]
    other = client.get("/version", headers={"Origin": "https://b.example"})
    assert "Access-Control-Allow-Origin" not in other


def test_a_preflight_is_answered_before_any_view(client: Client) -> None:
    response = client.options(
        "/api/v1/agents",
        headers={
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        },
    )
    assert response.status_code == 204
    assert "POST" in response["Access-Control-Allow-Methods"]
    assert response["Access-Control-Allow-Headers"] == "x-api-key"


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/ui/login", "/ui/"])
def test_the_admin_and_the_console_are_opened_to_no_other_origin(client: Client, page: str) -> None:
    response = client.get(page, headers={"Origin": "https://a.example"})
    assert "Access-Control-Allow-Origin" not in response


def test_pages_of_other_origins_may_read_what_clients_need_to_go_on(client: Client) -> None:
    told = client.get("/version", headers={"Origin": "https://a.example"})["Access-Control-Expose-Headers"]
    assert {"ETag", "Retry-After", "X-Request-ID"} <= set(told.split(", "))


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_of_the_api_with_a_slash_at_its_end_leads_to_the_one_without(
    client: Client, method: str
) -> None:
    answer = getattr(client, method)("/api/v1/agents/?limit=3&tags=a%20b")
    assert (answer.status_code, answer["Location"]) == (307, "/api/v1/agents?limit=3&tags=a%20b")
    assert client.get("/api/v1/no-such/").status_code == 404
