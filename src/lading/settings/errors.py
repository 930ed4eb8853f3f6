"""What can be wrong with the settings; each error names the file or variable and the key."""

from __future__ import annotations

from collections.abc import Sequence

from lading.base.errors import RequestError


class SettingsMissing(RequestError):
    """The settings file that was asked for is not there."""

    code = "settings_missing"
    next_step = "Correct the path, or make a file with `lading init`."


class SettingsUnreadable(RequestError):
    """The settings file cannot be read, or is not TOML."""

    code = "settings_unreadable"
    next_step = "Correct the file; `lading config check` tries it."


class SettingsInvalid(RequestError):
    """One or more settings are unknown or make no sense; all of them are listed."""

    code = "settings_invalid"
    next_step = "Correct the settings; `lading config check` tries them."

    def __init__(self, problems: Sequence[str], *, subject: str) -> None:
        super().__init__("; ".join(problems), subject=subject)
        self.problems = tuple(problems)

    def as_dict(self) -> dict[str, object]:
        """The same facts, with the problems one by one."""
        return {**super().as_dict(), "problems": list(self.problems)}
