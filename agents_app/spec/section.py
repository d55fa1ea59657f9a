"""What every section of a specification has in common: frozen, no unknown keys, rules that name the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class Finding(NamedTuple):
    """A problem or a warning about one field; `field` is dotted and relative to the section."""

    field: str
    message: str


class Section(BaseModel):
    """A frozen part of a specification. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def problems(self) -> Iterator[Finding]:
        """Yield what is wrong although each field is valid by itself."""
        yield from ()

    def warnings(self) -> Iterator[Finding]:
        """Yield what is accepted but probably not meant."""
        yield from ()


def refuse_bool(value: object) -> object:
    """Refuse true and false: bool is an int in Python, so `max_retries: true` would mean 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic wants ValueError
    return value


def refuse_blank(value: str) -> str:
    """Refuse text of nothing but white space."""
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def empty_if_null(value: object) -> object:
    """A YAML key with nothing but comments under it is null; it means the default."""
    return {} if value is None else value


Whole = Annotated[int, BeforeValidator(refuse_bool)]
Number = Annotated[float, BeforeValidator(refuse_bool), Field(allow_inf_nan=False)]
Filled = Annotated[str, AfterValidator(refuse_blank)]
FreeForm = Annotated[Mapping[str, Any], BeforeValidator(empty_if_null)]
