"""Settings: the table of all settings, their parsers, and the parsed configuration."""

from tap_stripe_connect.settings.config import Settings, SettingsError, parse
from tap_stripe_connect.settings.parsers import Shard
from tap_stripe_connect.settings.table import PARSERS, SETTINGS, Setting, json_schema

__all__ = [
    "PARSERS",
    "SETTINGS",
    "Setting",
    "Settings",
    "SettingsError",
    "Shard",
    "json_schema",
    "parse",
]
