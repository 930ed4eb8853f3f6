"""Judges keys as phase 1 does, one by one, and says it in words (B3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lading.cli import output
from lading.sources.archive.inventory import judge_listed
from lading.sources.archive.reports import reason_of
from lading.sources.archive.rules import (
    CODE_LENGTH,
    KeyRules,
    KeyStage,
    first_wrong_character,
)
from lading.sources.archive.values import Fault

ACCEPTED: Final = "accepted"
LEFT_OUT: Final = "left_out"
REJECTED: Final = "rejected"
KEY_RULES: Final = (
    "code_malformed",
    "no_folder",
    "folder_unknown",
    "type_mismatch",
    "key_unreadable",
)
CHOICES: Final = (
    *(ACCEPTED, LEFT_OUT, REJECTED),
    *(KeyStage.EXTENSION.value, KeyStage.FOLDER_LEFT_OUT.value),
    *KEY_RULES,
)
"""What keys can be chosen by: their verdict, or the rule that left them out or rejected them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedKey:
    """A key and what became of it: the `rule` that kept it out, and the `value` it went by."""

    key: str
    verdict: str
    rule: str | None
    value: str | None
    code: str | None
    kind: str | None
    fault: Fault | None

    def matches(self, chosen: str) -> bool:
        """Whether this key is among those that one of `CHOICES` means."""
        return chosen in (self.verdict, self.rule)

    def document(self) -> dict[str, Any]:
        """The key as a JSON value."""
        fault = self.fault
        reason = reason_of(fault.code) if fault else None
        return {
            "key": self.key,
            "verdict": self.verdict,
            "rule": self.rule,
            "value": self.value,
            "code": self.code,
            "kind": self.kind,
            "expected": fault.expected if fault else None,
            "found": fault.found if fault else None,
            "wrong_at": self.wrong_at,
            "meaning": reason.sentence if reason else None,
            "next_step": reason.next_step if reason else None,
        }

    @property
    def wrong_at(self) -> int | None:
        """The index in `found` of the first character that breaks an inventory code."""
        if self.fault is None or self.fault.code != "code_malformed" or self.fault.found is None:
            return None
        return first_wrong_character(self.fault.found)


def judged(key: str, rules: KeyRules) -> JudgedKey:
    """What phase 1 makes of a key."""
    verdict = judge_listed(key, rules)
    word, rule = ACCEPTED, None
    if verdict.fault is not None:
        word, rule = REJECTED, verdict.fault.code
    elif verdict.left_out:
        word, rule = LEFT_OUT, verdict.stage.value
    return JudgedKey(
        key=key,
        verdict=word,
        rule=rule,
        value=verdict.rule_value,
        code=verdict.code,
        kind=None if verdict.kind is None else verdict.kind.value,
        fault=verdict.fault,
    )


def key_line(one: JudgedKey) -> str:
    """One line about a key, of columns that a pipe can cut."""
    why = one.rule or "-"
    if one.verdict == LEFT_OUT and one.value:
        why = f"{why} {one.value}"
    return f"{one.verdict:<8}  {why:<24}  {output.cell(one.key)}"


def key_lines(one: JudgedKey) -> list[str]:
    """Everything about a key; a wrong character of a code is marked under it."""
    lines = [f"{one.verdict}: {output.cell(one.key)}"]
    fault = one.fault
    if fault is None:
        if one.verdict == LEFT_OUT:
            lines.append(f"  rule:       {one.rule} {one.value}".rstrip())
        else:
            lines.append(f"  code:       {one.code}, {one.kind}")
        return lines
    reason = reason_of(fault.code)
    lines.append(f"  rule:       {fault.code}" + (f": {reason.sentence}" if reason else ""))
    lines.append(f"  expected:   {output.cell(fault.expected)}")
    lines.append(f"  found:      {output.cell(fault.found)}")
    at = one.wrong_at
    if at is not None and at >= 0:
        lines.append(" " * (14 + at) + "^ " + _wrong(fault.found or "", at))
    if reason is not None:
        lines.append(f"  next step:  {reason.next_step}")
    return lines


def _wrong(found: str, at: int) -> str:
    if at >= len(found):
        return "ends too early"
    if at >= CODE_LENGTH:
        return "nothing, or one of . _ - and a blank, may follow the code"
    return f"character {at + 1} is wrong"
