"""The Meltano project: it matches the tap."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tap_stripe_connect.cli import COMMANDS
from tap_stripe_connect.settings import SETTINGS, Setting
from tap_stripe_connect.tap import TapStripeConnect

ROOT = Path(__file__).parents[2]
KINDS = {"date-time": "date_iso8601", "option": "options"}
"""Meltano's names of kinds that differ from ours."""

# Comes with the Singer SDK, but without types.
yaml: Any = import_module("yaml")
PROJECT = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
(TAP,) = PROJECT["plugins"]["extractors"]
(TARGET,) = PROJECT["plugins"]["loaders"]


def test_settings_are_the_taps() -> None:
    """Meltano knows the settings of the table, in its order, and no others."""
    assert [row["name"] for row in TAP["settings"]] == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_described_alike(setting: Setting) -> None:
    """Kind, default, secrecy, options and description of a setting are those of the table."""
    (row,) = (row for row in TAP["settings"] if row["name"] == setting.name)
    assert row["kind"] == KINDS.get(setting.kind, setting.kind)
    assert row.get("value") == setting.default
    assert row.get("sensitive", False) is setting.sensitive
    assert tuple(option["value"] for option in row.get("options", ())) == setting.options
    assert row["description"] == setting.description
    assert row["label"]


def test_required_settings_are_those_meltano_asks_for() -> None:
    """Meltano asks for the settings without which the tap does not start."""
    required = [setting.name for setting in SETTINGS if setting.required]
    assert TAP["settings_group_validation"] == [required]


def test_capabilities_are_the_taps() -> None:
    """The plugin has the capabilities of the tap, and no others."""
    assert TAP["capabilities"] == sorted(each.value for each in TapStripeConnect.capabilities)


def test_commands_are_the_taps() -> None:
    """Every command Meltano offers exists."""
    assert {command["args"] for command in TAP["commands"].values()} <= COMMANDS.keys()


def test_readme_shows_the_same_plugin() -> None:
    """The extractor in the README is a part of the one in meltano.yml."""
    readme = (ROOT / "README.md").read_text("utf-8")
    block = readme.partition("```yaml\n")[2].partition("```")[0]
    (shown,) = yaml.safe_load(block)["plugins"]["extractors"]
    for name in ("name", "namespace", "executable", "capabilities"):
        assert shown[name] == TAP[name]
    known = {row["name"]: row for row in TAP["settings"]}
    for row in shown["settings"]:
        assert row.items() <= known[row["name"]].items()


def test_plugins_need_no_hub() -> None:
    """Both plugins are defined completely, so that installing them asks no directory."""
    for plugin in (TAP, TARGET):
        assert {"namespace", "pip_url", "executable", "settings"} <= plugin.keys()
