"""Settings: every accepted format, all errors at once, and no secrets in them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.settings import (
    PARSERS,
    SETTINGS,
    Settings,
    SettingsError,
    json_schema,
    parse,
)
from tap_stripe_connect.settings.parsers import ALL_ACCOUNTS, timestamp

stable = settings(deadline=None, derandomize=True, max_examples=300)

KEY = "rk_test_1Example"
NOON = 1_706_702_400
"""2024-01-31T12:00:00Z."""
SECRET = "sk_live_51PlantedSecretPlanted"
SPAN = st.sampled_from(["second", "minute", "hour", "day", "week", "month", "year", "fortnight"])
every_setting = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)


def parsed(**config: Any) -> Settings:
    """Parse a configuration that has a key."""
    return parse({"api_key": KEY, **config})


def errors(config: dict[str, Any]) -> list[str]:
    """Return the errors of a configuration."""
    with pytest.raises(SettingsError) as caught:
        parse(config)
    assert str(caught.value) == "; ".join(caught.value.errors)
    return caught.value.errors


def test_only_the_key_is_required() -> None:
    """With only a key, the key's own account is read with all its history."""
    assert parse({"api_key": KEY}) == Settings(
        api_key=KEY,
        account_ids=(),
        all_connected_accounts=False,
        exclude_account_ids=frozenset(),
        shard=ALL_ACCOUNTS,
        include_platform=True,
        start=0,
        api_url="https://api.stripe.com",
        api_version=API_VERSION,
        max_requests_per_second=12,
        lag_seconds=300,
        recheck_interval=86_400,
        on_permission_error="fail",
        on_account_error="fail",
    )


@every_setting
@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_value_means_the_default(setting: Any, nothing: str | None) -> None:
    """Null and the empty string, which unset environment variables give, mean the default."""
    if setting.required:
        assert errors({setting.name: nothing}) == [
            f"{setting.name} is missing: {setting.description}"
        ]
    else:
        assert parsed(**{setting.name: nothing}) == parsed()


def test_all_errors_are_reported_together() -> None:
    """Every invalid setting is named, so that users can correct all of them at once."""
    wrong = {
        "account_ids": "cus_1",
        "all_connected_accounts": "perhaps",
        "exclude_account_ids": '["acct_1Example"',
        "shard": "0/4",
        "include_platform": "2",
        "start_date": "last spring",
        "api_url": "api.stripe.com",
        "api_version": "latest",
        "max_requests_per_second": "0",
        "lag_seconds": -1,
        "on_permission_error": "ignore",
        "on_account_error": "",
    }
    names = [error.partition(":")[0].partition(" ")[0] for error in errors(wrong)]
    assert names == ["api_key", *(name for name in wrong if name != "on_account_error")]


@pytest.mark.parametrize(
    "given_ids",
    [
        '["acct_1Example","acct_2Example"]',
        ' [ "acct_1Example", "acct_2Example" ] ',
        "acct_1Example,acct_2Example",
        " acct_1Example , acct_2Example, ",
        ["acct_1Example", "acct_2Example"],
        ["acct_1Example", "acct_2Example", "acct_1Example"],
    ],
    ids=repr,
)
def test_lists_are_accepted_in_every_format(given_ids: object) -> None:
    """JSON, names separated by commas and lists give the same accounts, without duplicates."""
    assert parsed(account_ids=given_ids).account_ids == ("acct_1Example", "acct_2Example")
    excluded = parsed(exclude_account_ids=given_ids).exclude_account_ids
    assert excluded == {"acct_1Example", "acct_2Example"}


@pytest.mark.parametrize("given_ids", ["acct_1Example", '["acct_1Example"]', ["acct_1Example"]])
def test_a_list_of_one_can_be_a_plain_name(given_ids: object) -> None:
    """A single account needs no brackets."""
    assert parsed(account_ids=given_ids).account_ids == ("acct_1Example",)


@pytest.mark.parametrize("given_ids", ["[]", [], ",", [""]], ids=repr)
def test_an_empty_list_means_the_default(given_ids: object) -> None:
    """An empty list of accounts is the same as no list."""
    assert parsed(account_ids=given_ids) == parsed()


@pytest.mark.parametrize(
    "given_ids", ["1Example", "acct_", "acct_1 acct_2", "[1]", "{}", [None], 5, {}, True], ids=repr
)
def test_invalid_account_ids_are_rejected(given_ids: object) -> None:
    """Anything but account ids is an error of its setting."""
    (error,) = errors({"api_key": KEY, "account_ids": given_ids})
    assert error.startswith("account_ids: ")
    assert error.endswith(("is not an account id (acct_…)", "is not a list of account ids"))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, True) for word in (True, "true", "True", " TRUE ", "1", 1, "yes", "on")),
        *((word, False) for word in (False, "false", "False", "0", 0, "no", "off")),
    ],
    ids=repr,
)
def test_booleans_can_be_words(*, word: object, expected: bool) -> None:
    """Booleans can be written as words, as in environment variables."""
    assert parsed(all_connected_accounts=word).all_connected_accounts is expected
    assert parsed(include_platform=word).include_platform is expected


@pytest.mark.parametrize("number", [50, "50", " 50 "], ids=repr)
def test_numbers_can_be_text(number: object) -> None:
    """Whole numbers can be written as text."""
    assert parsed(max_requests_per_second=number).max_requests_per_second == 50
    assert parsed(lag_seconds=number).lag_seconds == 50


@pytest.mark.parametrize(
    "number", [-1, "1.5", 1.5, True, "many", "1e3", "1_000", "٣", [], 10**9], ids=repr
)
def test_invalid_numbers_are_rejected(number: object) -> None:
    """Anything but a whole number within bounds is an error of its setting."""
    (error,) = errors({"api_key": KEY, "lag_seconds": number})
    assert error.startswith("lag_seconds: ")


def test_each_number_has_its_own_minimum() -> None:
    """The lag can be zero, but not the rate."""
    assert parsed(lag_seconds=0).lag_seconds == 0
    assert errors({"api_key": KEY, "max_requests_per_second": 0}) == [
        "max_requests_per_second: 0 is too small; the minimum is 1"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31", NOON - 43_200),
        ("2024-01-31T12:00:00", NOON),
        ("2024-01-31T12:00:00Z", NOON),
        ("2024-01-31T12:00:00.999Z", NOON),
        ("2024-01-31 12:00:00", NOON),
        ("2024-01-31T14:00:00+02:00", NOON),
        (" 2024-01-31 ", NOON - 43_200),
        ("1706702400", NOON),
        (NOON, NOON),
        ("999999999", 999_999_999),
        ("1960-01-01", 0),
        ("0001-01-01T00:00:00+14:00", 0),
    ],
    ids=repr,
)
def test_start_dates_are_accepted_in_every_format(text: object, expected: int) -> None:
    """Dates, date-times and unix seconds are accepted; without a time zone they are UTC."""
    assert parsed(start_date=text).start == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 days ago", NOON - 30 * 86_400),
        ("1 day ago", NOON - 86_400),
        ("2 Weeks Ago", NOON - 14 * 86_400),
        ("90 seconds ago", NOON - 90),
        ("5 minutes ago", NOON - 300),
        ("6 hours ago", NOON - 21_600),
        ("1 month ago", NOON - 31 * 86_400),
        ("1 year ago", NOON - 365 * 86_400),
    ],
)
def test_relative_start_dates_count_from_now(
    text: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative date counts back from now, by the calendar."""
    monkeypatch.setattr(pendulum, "now", lambda zone: pendulum.from_timestamp(NOON, zone))
    assert timestamp(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "31.01.2024", "2024-02-30", "2024-13-01", "2024-01-31T25:00:00Z"),
        *("2024-01-31/2024-02-01", "12", "-5", "5 days", "-5 days ago", True, 1.5, [], {}),
    ],
    ids=repr,
)
def test_invalid_start_dates_are_rejected(text: object) -> None:
    """The error lists the accepted formats."""
    (error,) = errors({"api_key": KEY, "start_date": text})
    assert error.startswith("start_date: ")
    assert error.endswith(
        "is not a date; use 2024-01-31, 2024-01-31T12:00:00Z, unix seconds or '30 days ago'"
    )


@stable
@given(
    st.text(max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\d[T ]?[0-9:.Z+-]{0,12}", fullmatch=True)
    | st.builds("{} {}s ago".format, st.integers(), SPAN)
)
def test_no_text_makes_start_date_crash(text: str) -> None:
    """Any text gives a valid time, or an error that names the setting."""
    try:
        assert parsed(start_date=text).start >= 0
    except SettingsError as caught:
        (error,) = caught.errors
        assert error.startswith("start_date: ")


@pytest.mark.parametrize("key", ["sk_live_1Example", "rk_live_1Example", " sk_test_1Example\n"])
def test_secret_and_restricted_keys_are_accepted(key: str) -> None:
    """Keys of both modes are accepted, with surrounding white space."""
    settings_ = parse({"api_key": key})
    assert settings_.api_key == key.strip()
    assert settings_.livemode is ("_live_" in key)


ORGANIZATION_KEYS = ["sk_org_1Example", "sk_org_live_1Example", "sk_org_test_1Example"]


@pytest.mark.parametrize("key", ORGANIZATION_KEYS)
def test_an_organization_key_reads_the_listed_accounts(key: str) -> None:
    """Accounts can be listed as platform/connected; the key is live unless it says otherwise."""
    settings_ = parse({"api_key": key, "account_ids": "acct_1Example, acct_1Example/acct_2Example"})
    assert settings_.has_organization_key
    assert settings_.account_ids == ("acct_1Example", "acct_1Example/acct_2Example")
    assert not settings_.include_platform
    assert settings_.livemode is ("_test_" not in key)


@pytest.mark.parametrize("key", ORGANIZATION_KEYS)
def test_errors_of_an_organization_key_are_reported_together(key: str) -> None:
    """It has no account of its own and finds none, so accounts have to be listed."""
    found = errors({"api_key": key, "all_connected_accounts": True, "include_platform": "yes"})
    assert [error.partition(":")[0] for error in found] == [
        "account_ids is missing",
        "all_connected_accounts",
        "include_platform",
    ]


@pytest.mark.parametrize("nothing", [None, "", [], ","], ids=repr)
def test_an_organization_key_without_accounts_is_an_error(nothing: object) -> None:
    """No kind of empty value is accepted as a list of accounts."""
    (error,) = errors({"api_key": ORGANIZATION_KEYS[0], "account_ids": nothing})
    assert error.startswith("account_ids is missing: ")


def test_only_an_organization_key_accepts_platform_paths() -> None:
    """Another key cannot list an account as platform/connected."""
    (error,) = errors({"api_key": KEY, "account_ids": "acct_1Example/acct_2Example"})
    assert error == "account_ids: 'acct_1Example/acct_2Example' needs an organization key"
    assert not parsed().has_organization_key


@pytest.mark.parametrize(
    ("text", "expected"), [("3/16", (3, 16)), (" 1 / 1 ", ALL_ACCOUNTS), ("16/16", (16, 16))]
)
def test_shards_are_parsed(text: str, expected: tuple[int, int]) -> None:
    """A shard is a number and a count."""
    assert parsed(shard=text).shard == expected


@pytest.mark.parametrize(
    "text",
    ["0/4", "5/4", "1/0", "0/0", "3", "/4", "a/b", "1/2/3", "-1/4", "1.5/2", "٣/٤", 3, []],
    ids=repr,
)
def test_invalid_shards_are_rejected(text: object) -> None:
    """The error shows the format."""
    assert errors({"api_key": KEY, "shard": text}) == [
        f"shard: {text!r} is not a shard such as 3/16"
    ]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("pk_live_1Example", "publishable key"),
        ("rk-org_1Example", "not a Stripe key"),
        ("whsec_1Example", "not a Stripe key"),
        ("ac_1Example", "not a Stripe key"),
        ("Bearer sk_live_1Example", "not a Stripe key"),
        ("sk_live_1Example sk_live_2Example", "not a Stripe key"),
        ("1Example", "not a Stripe key"),
        (5, "not a Stripe key"),
    ],
)
def test_other_kinds_of_keys_are_rejected(key: object, message: str) -> None:
    """A key that cannot read data is rejected before any request, with advice on what to use."""
    (error,) = errors({"api_key": key})
    assert error.startswith("api_key: ")
    assert message in error
    assert "Example" not in error


@every_setting
@pytest.mark.parametrize(
    "form", ["{}", " {}", "{},acct_1Example", '["{}"]', "x {} x", "https://{}@"], ids=repr
)
def test_no_error_shows_a_secret(setting: Any, form: str) -> None:
    """A key that was pasted into any setting, in any format, appears in no message."""
    config = {"api_key": "broken " + SECRET, setting.name: form.format(SECRET)}
    try:
        shown = repr(parse(config))
    except SettingsError as error:
        shown = f"{error} {error!r} {error.errors}"
    assert "Planted" not in shown
    assert len(shown.splitlines()) == 1


def test_settings_do_not_show_their_key() -> None:
    """The settings can be logged without the key."""
    assert KEY not in repr(parsed())
    assert "Example" not in str(parsed())


@pytest.mark.parametrize(("key", "expected"), [("sk_live_1Example", 50), ("sk_test_1Example", 12)])
def test_the_default_rate_is_half_of_the_limit(key: str, expected: int) -> None:
    """By default, half of Stripe's rate limit is left for others."""
    assert parse({"api_key": key}).max_requests_per_second == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, True),
        ({"all_connected_accounts": True}, True),
        ({"account_ids": "acct_1Example"}, False),
        ({"account_ids": "acct_1Example", "include_platform": True}, True),
        ({"include_platform": False}, False),
    ],
)
def test_listing_accounts_excludes_the_platform(*, config: dict[str, Any], expected: bool) -> None:
    """The key's own account is read unless accounts are listed or it is excluded."""
    assert parsed(**config).include_platform is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.stripe.com/", "https://api.stripe.com"),
        ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
        ("http://[::1]:8420/", "http://[::1]:8420"),
        ("http://LocalHost:8420", "http://LocalHost:8420"),
        (" https://proxy.example/stripe/ ", "https://proxy.example/stripe"),
    ],
)
def test_urls_lose_their_trailing_slash(url: str, expected: str) -> None:
    """Paths can be appended to the URL."""
    assert parsed(api_url=url).api_url == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "https://",
        "https://x y",
        "https://user:pass@x",
        "https://x?y",
        "https://x#y",
        5,
        "http://[",
        "https://:443",
    ],
)
def test_invalid_urls_are_rejected(url: object) -> None:
    """The error does not show the URL, because it may contain a password."""
    assert errors({"api_key": KEY, "api_url": url}) == ["api_url: not an http or https URL"]


@pytest.mark.parametrize(
    "url",
    [
        "http://api.stripe.com",
        "http://10.0.0.1:8420",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com/x",
        "http://[::2]",
        "http://0.0.0.0:8420",
        "http://127.0.0.2",
    ],
)
def test_plain_http_to_other_machines_is_rejected(url: str) -> None:
    """The key would be sent unencrypted."""
    (error,) = errors({"api_key": KEY, "api_url": url})
    assert error.startswith("api_url: the key would be sent unencrypted; use https")


@pytest.mark.parametrize("version", ["2020-08-27", "2026-10-28.endive", " 2024-06-20 "])
def test_api_versions_are_accepted(version: str) -> None:
    """Both formats of Stripe's versions are accepted."""
    assert parsed(api_version=version).api_version == version.strip()


@every_setting
def test_every_setting_has_a_parser_and_a_schema(setting: Any) -> None:
    """The schema shows the type, default and description of the table."""
    assert PARSERS[setting.name] is setting.parse
    shown = json_schema()["properties"][setting.name]
    assert shown["description"] == setting.description.strip() != ""
    types = {"date-time": "string", "option": "string"}
    assert shown["type"][0] == types.get(setting.kind, setting.kind)
    assert ("null" in shown["type"]) is not setting.required
    assert shown.get("default") == setting.default
    assert shown.get("secret", False) is setting.sensitive
    assert setting.required or setting.default is not None or setting.shown_default


def test_the_schema_has_exactly_the_settings() -> None:
    """Parsers, schema and the Settings class agree."""
    schema = json_schema()
    names = [setting.name for setting in SETTINGS]
    assert list(schema["properties"]) == list(PARSERS) == names
    assert schema["required"] == ["api_key"]
    assert {name if name != "start" else "start_date" for name in Settings.__annotations__} == {
        *names
    }
    jsonschema.Draft7Validator.check_schema(schema)


@every_setting
def test_defaults_can_be_parsed(setting: Any) -> None:
    """A default and every option of a setting can be written in a configuration."""
    for value in [setting.default, *setting.options]:
        if value is not None:
            assert PARSERS[setting.name](value) == value


@pytest.mark.parametrize("name", ["on_permission_error", "on_account_error"])
@pytest.mark.parametrize(("word", "expected"), [("warn", "warn"), (" FAIL ", "fail")])
def test_options_ignore_case(name: str, word: str, expected: str) -> None:
    """Any other word is an error that lists the options."""
    assert getattr(parsed(**{name: word}), name) == expected
    assert errors({"api_key": KEY, name: "never"}) == [f"{name}: 'never' is not one of fail, warn"]
