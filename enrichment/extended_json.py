"""Documents as people write and read them: JSON in which every BSON value has a form."""

from __future__ import annotations

import json
from typing import Any, Final

from bson import json_util
from bson.errors import BSONError

from enrichment.writeback import DOCUMENT_CODEC

NO_ID: Final = "(no _id given)"
_JSON: Final = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED,
    tz_aware=True,
    datetime_conversion=DOCUMENT_CODEC.datetime_conversion,
)


class DocumentInvalid(ValueError):
    """The text is no document."""


def read_document(text: str) -> dict[str, Any]:
    """Read a document from Extended JSON; one without an `_id` gets a stand-in. Raises DocumentInvalid."""
    try:
        value = json_util.loads(text, json_options=_JSON)
    except (ValueError, TypeError, BSONError) as error:
        raise DocumentInvalid(f"not JSON: {error}") from None
    except RecursionError:
        raise DocumentInvalid("nested too deeply") from None
    if not isinstance(value, dict):
        raise DocumentInvalid('a document is a JSON object, such as {"title": "…"}')
    return value if "_id" in value else {"_id": NO_ID, **value}


def extended_json(value: object) -> Any:
    """Make any BSON value one that JSON can show."""
    return json.loads(json_util.dumps(value, json_options=_JSON))


def extended_text(value: object) -> str:
    """Write any BSON value as JSON for people."""
    return json.dumps(extended_json(value), indent=2, ensure_ascii=False)
