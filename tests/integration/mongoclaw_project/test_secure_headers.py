"""What pages tell browsers, and whether Django finds production safe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

ROOT = Path(__file__).parents[3]
TEMPLATES = [*(ROOT / "templates").rglob("*.html"), *ROOT.glob("*_app/**/templates/**/*.html")]
PRODUCTION = {
    "MONGOCLAW_ENV_FILE": os.devnull,
    "MONGOCLAW_ENVIRONMENT": "production",
    "MONGOCLAW_SECURITY__SECRET_KEY": "uSTu9Zb4p7C-QmWyzSgkH1vXQKcD2yTf0aBrJ8EoLnIxVd5Pq6RwYhGtM3",
    "MONGOCLAW_DATABASE__URL": "postgresql://mongoclaw:secret@db/mongoclaw",
    "MONGOCLAW_REDIS__URL": "redis://:secret@redis/0",
    "MONGOCLAW_API__ALLOWED_HOSTS": "claw.example.com",
    "MONGOCLAW_API__CORS_ORIGINS": "https://claw.example.com",
    "MONGOCLAW_API__BEHIND_TLS_PROXY": "true",
}


def checked(**changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **PRODUCTION, **changes},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_django_finds_nothing_to_say_about_production() -> None:
    found = checked()
    assert (found.returncode, found.stderr) == (0, ""), found.stderr


def test_django_says_so_where_production_has_no_tls() -> None:
    found = checked(MONGOCLAW_API__BEHIND_TLS_PROXY="false")
    assert found.returncode == 1
    assert "security.W012" in found.stderr


@pytest.mark.parametrize("path", ["/version", "/ui/login", "/nothing", "/static/admin/css/base.css"])
@pytest.mark.django_db
def test_every_answer_says_that_all_comes_from_here(client: Client, path: str) -> None:
    answer = client.get(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    answer.close()


@pytest.mark.django_db
def test_a_style_in_a_page_has_the_nonce_of_this_answer_and_no_other(client: Client) -> None:
    client.force_login(User.objects.create(username="root", is_superuser=True))
    seen = set()
    for _ in range(2):
        page = client.get("/docs")
        [nonce] = set(re.findall(r'<style nonce="([\w-]+)"', page.content.decode()))
        assert f"style-src 'self' 'nonce-{nonce}'" in page["Content-Security-Policy"]
        assert re.findall(r"<(?:style|script)(?![^>]*(?:nonce|src)=)[^>]*>", page.content.decode()) == []
        seen.add(nonce)
    assert len(seen) == 2
    assert "nonce" not in client.get("/version")["Content-Security-Policy"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_what_browsers_are_told_not_to_run(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert re.findall(r"""<[^>]*\s(?:style|on\w+)=["'][^>]*>|javascript:""", text) == []
    assert re.findall(r"<(?:style|script)(?![^>]*(?:csp_nonce|src=))[^>]*>", text) == []
