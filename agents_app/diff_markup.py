"""Differences between two texts as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.html import format_html, format_html_join

from agents_app.diff import Change, diff

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

_MARKUP: Final = {
    Change.SAME: "<span>  {}</span>\n",
    Change.ADDED: "<ins>+ {}</ins>\n",
    Change.REMOVED: "<del>- {}</del>\n",
    Change.PLACE: "<b>{}</b>\n",
}


def differences(old: str, new: str) -> SafeString:
    """Return the changed lines with their surroundings; empty if the texts are equal."""
    lines = diff(old, new)
    if not lines:
        return format_html("")
    marked = ((format_html(_MARKUP[line.change], line.text),) for line in lines)
    return format_html('<pre class="mc-yaml">{}</pre>', format_html_join("", "{}", marked))
