"""Reads JSON strictly: no duplicate keys, no NaN, bounded depth, and the place of each value."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, NoReturn

from agents_app.spec.plain import MAX_DEPTH, MAX_VALUES, Path, dotted
from agents_app.spec.source import Source, refuse

_SPACE = re.compile(r"[ \t\r\n]*")


class NotJson(Exception):
    """The text is not JSON; line and column say where it stops being so."""

    def __init__(self, message: str, line: int, column: int) -> None:
        self.message, self.line, self.column = message, line, column
        super().__init__(message)


def read_json(text: str) -> Source:
    """Return the value of a JSON text.

    Raises NotJson for a text that is no JSON, SpecInvalid for one that passes a bound or repeats a key.
    """
    reader = _Reader(text)
    value, position = reader.value(reader.skip(0), ())
    if reader.skip(position) != len(text):
        reader.fail("there is text after the end of the value", reader.skip(position))
    return Source(value, reader.places)


class _Reader:
    """Walks objects and arrays, to know places and repeated keys; leaves scalars to the standard decoder."""

    def __init__(self, text: str) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        self._text = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._decoder = json.JSONDecoder(parse_constant=self._constant)
        self._values = 0

    def skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        return position if match is None else match.end()

    def value(self, position: int, path: Path) -> tuple[Any, int]:
        self._values += 1
        if self._values > MAX_VALUES:
            raise refuse(f"the text holds more than {MAX_VALUES:,} values", line=self.place(position)[0])
        if len(path) > MAX_DEPTH:
            raise refuse(f"the text is nested deeper than {MAX_DEPTH} levels", line=self.place(position)[0])
        self.places.setdefault(dotted(path), self.place(position)) if path else None
        opening = self._text[position : position + 1]
        if opening == "{":
            return self._object(position + 1, path)
        if opening == "[":
            return self._array(position + 1, path)
        return self._scalar(position)

    def _object(self, position: int, path: Path) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        position = self.skip(position)
        if self._text.startswith("}", position):
            return result, position + 1
        while True:
            place = self.place(position)
            if not self._text.startswith('"', position):
                self.fail("a key in double quotes is expected", position)
            key, position = self._scalar(position)
            inner = (*path, key)
            if key in result:
                first = self.places[dotted(inner)][0]
                raise refuse(
                    f"is given twice, first in line {first}",
                    path=dotted(inner),
                    line=place[0],
                    column=place[1],
                )
            self.places[dotted(inner)] = place
            position = self._expect(":", position)
            result[key], position = self.value(position, inner)
            position, ended = self._next("}", position)
            if ended:
                return result, position

    def _array(self, position: int, path: Path) -> tuple[list[Any], int]:
        result: list[Any] = []
        position = self.skip(position)
        if self._text.startswith("]", position):
            return result, position + 1
        while True:
            item, position = self.value(position, (*path, str(len(result))))
            result.append(item)
            position, ended = self._next("]", position)
            if ended:
                return result, position

    def _scalar(self, position: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, position)
        except json.JSONDecodeError as error:
            self.fail(error.msg[:1].lower() + error.msg[1:], error.pos)
        except ValueError:
            self.fail("the number is not allowed", position)

    def _expect(self, char: str, position: int) -> int:
        position = self.skip(position)
        if not self._text.startswith(char, position):
            self.fail(f"'{char}' is expected", position)
        return self.skip(position + 1)

    def _next(self, closing: str, position: int) -> tuple[int, bool]:
        position = self.skip(position)
        if self._text.startswith(closing, position):
            return position + 1, True
        if not self._text.startswith(",", position):
            self.fail(f"',' or '{closing}' is expected", position)
        return self.skip(position + 1), False

    def place(self, position: int) -> tuple[int, int]:
        line = bisect_right(self._lines, position)
        return line, position - self._lines[line - 1] + 1

    def fail(self, message: str, position: int) -> NoReturn:
        line, column = self.place(position)
        raise NotJson(message, line, column)

    @staticmethod
    def _constant(name: str) -> NoReturn:
        raise ValueError(name)
