"""What an installation is told: its folders, database, store, sources, and how hard to work."""

from lading.settings.console import ConsoleSettings, OidcSettings
from lading.settings.errors import SettingsInvalid, SettingsMissing, SettingsUnreadable
from lading.settings.load import ENVIRONMENT_PREFIX, find_settings_file, load_settings
from lading.settings.mail import MailSettings
from lading.settings.model import (
    DatabaseSettings,
    LogSettings,
    ScanSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    WorkerProcessSettings,
)
from lading.settings.show import masked, masked_url

__all__ = [
    "ENVIRONMENT_PREFIX",
    "ConsoleSettings",
    "DatabaseSettings",
    "LogSettings",
    "MailSettings",
    "OidcSettings",
    "ScanSettings",
    "Settings",
    "SettingsInvalid",
    "SettingsMissing",
    "SettingsUnreadable",
    "SourceSettings",
    "StoreSettings",
    "WorkerProcessSettings",
    "find_settings_file",
    "load_settings",
    "masked",
    "masked_url",
]
