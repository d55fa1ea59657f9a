"""A document as templates see it: its fields and nothing else, with a note of which fields were read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from enrichment.plain import Conversion, Plain, ValueTooLarge, to_plain


class DocumentView(Mapping[str, Plain]):
    """A document's fields as plain values, converted when first read. `name` is what templates call it.

    `hidden` are top-level fields left out whenever the document is taken as a whole (printed, looped over,
    counted), so that a prompt does not change because of what MongoClaw wrote. Naming a hidden field still
    reads it.
    """

    __slots__ = ("_conversion", "_hidden", "_name", "_plain", "_reads", "_source", "_whole")

    def __init__(
        self,
        document: Mapping[str, object],
        hidden: frozenset[str] = frozenset(),
        *,
        name: str = "document",
    ) -> None:
        self._name = name
        self._source = document
        self._hidden = hidden
        self._conversion = Conversion()  # fields are converted once, so it counts the document once
        self._plain: dict[str, Plain] = {}
        self._reads: set[str] = set()
        self._whole = False

    @property
    def reads(self) -> frozenset[str] | None:
        """The top-level fields read so far, missing ones included; None when the whole document was read."""
        return None if self._whole else frozenset(self._reads)

    @property
    def hidden(self) -> frozenset[str]:
        """The fields left out of the document as a whole."""
        return self._hidden

    def __getitem__(self, key: str) -> Plain:
        if not isinstance(key, str):
            raise KeyError(key)
        self._reads.add(key)
        if key not in self._plain:
            self._plain[key] = self._convert(key)
        return self._plain[key]

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            self._reads.add(key)
        return key in self._source

    def __iter__(self) -> Iterator[str]:
        self._whole = True
        return iter([key for key in self._source if key not in self._hidden])

    def __len__(self) -> int:
        self._whole = True
        return sum(1 for key in self._source if key not in self._hidden)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __str__(self) -> str:
        return json.dumps(self.plain(), ensure_ascii=False)

    __repr__ = __str__

    def plain(self) -> dict[str, Plain]:
        """The whole document without hidden fields."""
        return {key: self[key] for key in self}

    def _convert(self, key: str) -> Plain:
        try:
            return to_plain(self._source[key], self._conversion)
        except ValueTooLarge as error:
            raise ValueTooLarge(f"{self._name}.{key}: {error}", field=key) from error
