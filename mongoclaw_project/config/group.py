"""What every group of settings has in common."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

ACCEPTED: Final[dict[str, Any]] = {"accepted": True}
"""Marks a setting of MongoClaw 1.0.4 that is read, checked and then used nowhere."""


class Group(BaseModel):
    """A frozen group of settings; names that it does not know are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)
