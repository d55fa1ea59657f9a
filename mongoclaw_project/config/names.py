"""The names under which the environment may hold a setting."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mongoclaw_project.config.settings import Settings

PREFIX: Final = "MONGOCLAW_"
FILE_SUFFIX: Final = "_FILE"

RENAMED: Final = {
    "MONGOCLAW_LOG_LEVEL": "MONGOCLAW_OBSERVABILITY__LOG_LEVEL",
    "MONGOCLAW_LOG_FORMAT": "MONGOCLAW_OBSERVABILITY__LOG_FORMAT",
    "MONGOCLAW_WORKER_CONCURRENCY": "MONGOCLAW_WORKER__POOL_SIZE",
}
"""Names in the manifests of 1.0.4 that no rule explains."""

_NEW: Final = ("broker", "flower", "notifications", "webhooks")
"""Groups that 1.0.4 did not have, and whose bare names (BROKER_URL, FLOWER_PORT) belong to other programs."""

_NOT_SETTINGS: Final = re.compile(r"MONGOCLAW_(TEST_.*|ENV_FILE)")
"""Names that tests and `load_settings` read themselves."""

_KUBERNETES: Final = re.compile(
    r"MONGOCLAW(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)
"""Names that Kubernetes gives to every pod beside a service called mongoclaw-something."""
_KUBERNETES_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class SettingName:
    """Where a setting stands in the settings object, and its names in the environment."""

    group: str | None
    field: str
    info: FieldInfo

    @property
    def canonical(self) -> str:
        """The documented name."""
        if self.group is None:
            return f"{PREFIX}{self.field}".upper()
        return f"{PREFIX}{self.group}__{self.field}".upper()

    @property
    def bare(self) -> str | None:
        """The fallback without the prefix; settings outside a group have none, nor have those of _NEW."""
        return None if self.group in (None, *_NEW) else f"{self.group}_{self.field}".upper()

    @property
    def single_underscore(self) -> str | None:
        """The name in the manifests shipped with 1.0.4, where it had no effect."""
        return None if self.group is None else f"{PREFIX}{self.group}_{self.field}".upper()

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of texts."""
        return get_origin(self.info.annotation) is tuple and get_args(self.info.annotation)[0] is str

    @property
    def is_accepted_only(self) -> bool:
        """Whether the setting is read for compatibility and used nowhere."""
        extra = self.info.json_schema_extra
        return isinstance(extra, dict) and bool(extra.get("accepted"))

    @property
    def is_secret(self) -> bool:
        """Whether the value may hold a password or key."""
        return not self.info.repr


def setting_names() -> Iterator[SettingName]:
    """Every setting, in the order of its declaration."""
    for field, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            for inner, inner_info in info.annotation.model_fields.items():
                yield SettingName(field, inner, inner_info)
        else:
            yield SettingName(None, field, info)


def is_foreign(name: str, value: str) -> bool:
    """Whether a name with our prefix is somebody else's: a test's, or one of Kubernetes' service links."""
    if _NOT_SETTINGS.fullmatch(name):
        return True
    if not _KUBERNETES.fullmatch(name):
        return False
    if name.endswith("_PORT") and not name.endswith("_SERVICE_PORT"):
        return _KUBERNETES_ADDRESS.match(value) is not None
    return True


def suggestion(name: str, known: tuple[str, ...]) -> str | None:
    """The setting that the writer of an unknown name probably meant."""
    stem = name.removesuffix(FILE_SUFFIX)
    ending = FILE_SUFFIX if stem != name else ""
    found = difflib.get_close_matches(stem, known, n=1, cutoff=0.75)
    if found:
        return found[0] + ending
    tails = {candidate.rpartition("__")[2]: candidate for candidate in known}
    close = difflib.get_close_matches(stem.removeprefix(PREFIX), tuple(tails), n=1, cutoff=0.8)
    return tails[close[0]] + ending if close else None
