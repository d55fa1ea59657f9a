"""Answering the question of an admin action as a browser does: where its form leads, with what it holds."""

from __future__ import annotations

import html
import re

from django.test import Client

_FORM = re.compile(r'<form method="post"(?: action="([^"]*)")?>(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def confirm_all_across(client: Client, address: str, action: str, shown: str) -> None:
    """Choose an action for all rows of a list, also those of its other pages, and confirm it."""
    chosen = {"action": action, "_selected_action": shown, "select_across": "1"}
    (form,) = _FORM.findall(client.post(address, chosen).content.decode())
    client.post(html.unescape(form[0]) or address, dict(_HIDDEN.findall(form[1])))
