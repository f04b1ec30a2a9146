"""Discovery, `--about` and `--help`, without a key and without a network."""

from __future__ import annotations

import json

from singer_sdk import Tap

from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.settings import SETTINGS
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import cli


def test_discovery_needs_no_configuration_and_is_deterministic() -> None:
    """With an empty configuration the whole catalog comes, byte for byte the same."""
    first, second = cli("--discover"), cli("--discover")
    assert first.returncode == 0
    assert first.stdout == second.stdout
    streams = json.loads(first.stdout)["streams"]
    assert [entry["tap_stream_id"] for entry in streams] == sorted(one.name for one in STREAMS)


def test_the_catalog_says_what_targets_rely_on() -> None:
    """Keys include the account, updated_at is the replication key, everything is selected."""
    entries = {
        entry["tap_stream_id"]: entry for entry in json.loads(cli("--discover").stdout)["streams"]
    }
    for stream in STREAMS:
        entry = entries[stream.name]
        assert tuple(entry["key_properties"]) == stream.key
        assert stream.key[0] == "account_id"
        assert entry["replication_key"] == "updated_at"
        assert entry["replication_method"] == "LOG_BASED"
        assert not any(name.startswith("x-") for name in entry["schema"])
        metadata = {tuple(item["breadcrumb"]): item["metadata"] for item in entry["metadata"]}
        assert metadata[()]["selected"] is True
        for name in stream.key:
            assert metadata["properties", name]["inclusion"] == "automatic"


def test_about_names_every_setting() -> None:
    """`--about` needs no configuration and lists all settings."""
    about = json.loads(cli("--about", "--format=json").stdout)
    assert {setting.name for setting in SETTINGS} <= set(about["settings"]["properties"])
    assert about["settings"]["properties"]["api_key"]["writeOnly"] is True


def test_help_lists_the_commands() -> None:
    """`--help` shows the Singer options and the other commands."""
    text = cli("--help").stdout
    for word in ("--discover", "--catalog", "--state", "simulate"):
        assert word in text


def test_the_catalog_is_what_the_sdk_would_write() -> None:
    """Leaving out the SDK's objects for schemas changes nothing in the catalog."""
    tap = TapStripeConnect(config={"api_key": "sk_test_simulator"})
    sdks_own = Tap.catalog_dict.fget  # type: ignore[attr-defined]
    assert tap.catalog_dict == sdks_own(tap)
