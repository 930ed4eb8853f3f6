"""Reads one JSON document as a stream of values, holding no more of it than one value at a time.

The standard decoder parses each value in C inside a window over the text; this module moves the
window. Nesting costs no more than the text itself, numbers stay exact, and text is kept as sent,
so that what must be refused later can still be seen.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

VALUE_CHARS_MAX: Final = 16 * 1024 * 1024
"""A single value longer than this is refused; an item with 200,000 members stays below."""

_SPACE = re.compile(r"[ \t\n\r]*")
_BOM = "\ufeff"


class NotJson(ValueError):
    """The text is not one JSON document; says what is wrong, at which line and byte."""

    def __init__(self, problem: str, *, line: int, byte: int) -> None:
        super().__init__(f"{problem} (line {line}, byte {byte})")
        self.problem = problem
        self.line = line
        self.byte = byte


class _Definite(ValueError):
    """A fault that more text cannot mend."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Definite(f"the key {twice[:80]!a} occurs twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise _Definite(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


class JsonWindow:
    """A position in a JSON text that arrives in `chunks` of UTF-8 bytes.

    Every method raises `NotJson` for what is not JSON. Nothing behind the position is kept.
    """

    def __init__(self, chunks: Iterator[bytes], *, value_chars_max: int = VALUE_CHARS_MAX) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._value_chars_max = value_chars_max
        self._text = ""
        self._at = 0
        self._ended = False
        self._bytes_read = 0  # taken from `chunks`
        self._bytes_left = 0  # behind the window's start
        self._lines_left = 0
        self._taken: Any = None
        self.streamed = False
        """Whether `walk_object` met the list that it gives element by element."""
        self._more()
        if self._text.startswith(_BOM):
            self.refuse("the text begins with a byte order mark")

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match is not None else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        """Step over the punctuation mark `wanted`."""
        found = self.peek()
        if found != wanted:
            self.refuse(f"{wanted!a} expected, {found!a} found" if found else "the text breaks off")
        self._at += 1

    def value(self) -> Any:
        """The value that begins here, whole; the position moves behind it."""
        if not self.peek():
            self.refuse("the text breaks off")
        while True:
            problem = self._try_value()
            if problem is None:
                return self._taken
            # Either the window cuts the value off or it is wrong; only more text can tell.
            into_value = problem.pos - self._at
            if len(self._text) - self._at > self._value_chars_max:
                self.refuse(f"one value is longer than {self._value_chars_max} characters")
            if not self._more():
                self._raise(problem.msg[:1].lower() + problem.msg[1:], self._at + into_value)

    def key(self) -> str:
        """The key of an object's member and the colon behind it."""
        if self.peek() != '"':
            self.refuse("a key in quotation marks expected")
        key = self.value()
        self.take(":")
        return str(key)

    def separator(self, closing: str) -> bool:
        """Step over a comma (True: another member follows) or over `closing` (False)."""
        if self.peek() == ",":
            self._at += 1
            return True
        self.take(closing)
        return False

    def refuse(self, problem: str) -> NoReturn:
        """Raise `NotJson` for `problem` at the present position."""
        self._raise(problem, self._at)

    def _try_value(self) -> json.JSONDecodeError | None:
        try:
            value, end = _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            return error
        except _Definite as error:
            self.refuse(str(error))
        except RecursionError:
            self.refuse("values are nested too deeply")
        except ValueError:
            # The one other complaint of the decoder: an integer of thousands of digits.
            self.refuse("a number has too many digits")
        rest = self._text[end : end + 3]
        if not self._ended and (not rest or (len(rest) < 3 and rest[0] in ".eE")):
            # A number at the window's end may go on behind it, and `1.` or `1e+` does.
            return json.JSONDecodeError("the text breaks off", self._text, end)
        self._taken = value
        self._at = end
        return None

    def _more(self) -> bool:
        """Move the window's start to the position and read on, at least as much as it holds."""
        if self._ended:
            return False
        left, rest = self._text[: self._at], self._text[self._at :]
        self._bytes_left += len(left) if left.isascii() else len(left.encode())
        self._lines_left += left.count("\n")
        parts = [rest]
        wanted = max(len(rest), 1)
        while wanted > 0 and not self._ended:
            chunk = next(self._chunks, b"")
            self._ended = not chunk
            try:
                part = self._decoder.decode(chunk, final=self._ended)
            except UnicodeDecodeError as error:
                byte = self._bytes_read + len(chunk) - len(error.object) + error.start
                self._text, self._at = "".join(parts), 0
                seen = self._text.count("\n") + error.object[: error.start].count(b"\n")
                line = 1 + self._lines_left + seen
                raise NotJson("the text is not UTF-8", line=line, byte=byte) from error
            self._bytes_read += len(chunk)
            wanted -= len(part)
            parts.append(part)
        self._text, self._at = "".join(parts), 0
        return len(self._text) > len(rest)

    def _raise(self, problem: str, at: int) -> NoReturn:
        before = self._text[:at]
        raise NotJson(
            problem,
            line=1 + self._lines_left + before.count("\n"),
            byte=self._bytes_left + len(before.encode(errors="surrogatepass")),
        ) from None


def walk_object(window: JsonWindow, streamed: str) -> Iterator[tuple[str, bool, Any]]:
    """The members of the document's one object as `(key, element, value)`.

    The member named `streamed` is given element by element (`element` True) when it is a list,
    and whole when it is not; an empty list gives nothing. Raises `NotJson`, also for keys that
    occur twice and for anything behind the object.
    """
    if window.peek() != "{":
        window.refuse("the document is not an object")
    window.take("{")
    seen: set[str] = set()
    more = window.peek() != "}"
    if not more:
        window.take("}")
    while more:
        key = window.key()
        if key in seen:
            window.refuse(f"the key {key[:80]!a} occurs twice in one object")
        seen.add(key)
        if key == streamed and window.peek() == "[":
            window.streamed = True
            yield from ((key, True, value) for value in _elements(window))
        else:
            yield key, False, window.value()
        more = window.separator("}")
    if window.peek():
        window.refuse("something follows the document's end")


def _elements(window: JsonWindow) -> Iterator[Any]:
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    while True:
        yield window.value()
        if not window.separator("]"):
            return
