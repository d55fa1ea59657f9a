"""What a version says, as people read and edit it."""

from __future__ import annotations

from agents_app.errors import VersionUnreadable
from agents_app.models import AgentVersion
from agents_app.registry import spec_of
from agents_app.spec import dump_filled_yaml, dump_yaml, to_yaml


def text_of(version_id: int, *, filled: bool = False) -> str:
    """Return a version as YAML, with a shared policy written out if it is to be `filled`.

    What another release has written and this one cannot read is shown as it is stored: so it can be published again.
    """
    try:
        spec = spec_of(version_id)
    except VersionUnreadable:
        return to_yaml(AgentVersion.objects.get(pk=version_id).spec)
    return dump_filled_yaml(spec) if filled else dump_yaml(spec, managed=False)
