"""The configuration: every form users give it in, all faults at once, and no secret told."""

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


def read(**config: Any) -> Settings:
    """Parse a configuration that has a key."""
    return parse({"api_key": KEY, **config})


def faults(config: dict[str, Any]) -> list[str]:
    """Return what is wrong with a configuration."""
    with pytest.raises(SettingsError) as caught:
        parse(config)
    assert str(caught.value) == "; ".join(caught.value.errors)
    return caught.value.errors


def test_a_key_is_all_that_is_needed() -> None:
    """With nothing but a key, the key's own account is read with all its history."""
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
def test_an_empty_value_is_no_value(setting: Any, nothing: str | None) -> None:
    """Null, and the empty text that unset environment variables give, mean the default."""
    if setting.required:
        assert faults({setting.name: nothing}) == [
            f"{setting.name} is missing: {setting.description}"
        ]
    else:
        assert read(**{setting.name: nothing}) == read()


def test_all_faults_are_told_together() -> None:
    """Every wrong setting is named, so that one more attempt is enough (G5)."""
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
    told = [fault.partition(":")[0].partition(" ")[0] for fault in faults(wrong)]
    assert told == ["api_key", *(name for name in wrong if name != "on_account_error")]


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
def test_lists_come_in_every_form(given_ids: object) -> None:
    """JSON, names with commas and real lists give the same accounts, each once (G4)."""
    assert read(account_ids=given_ids).account_ids == ("acct_1Example", "acct_2Example")
    excluded = read(exclude_account_ids=given_ids).exclude_account_ids
    assert excluded == {"acct_1Example", "acct_2Example"}


@pytest.mark.parametrize("given_ids", ["acct_1Example", '["acct_1Example"]', ["acct_1Example"]])
def test_a_list_of_one_may_be_a_plain_name(given_ids: object) -> None:
    """A single account needs no brackets (G4)."""
    assert read(account_ids=given_ids).account_ids == ("acct_1Example",)


@pytest.mark.parametrize("given_ids", ["[]", [], ",", [""]], ids=repr)
def test_an_empty_list_is_no_list(given_ids: object) -> None:
    """An empty list of accounts means what leaving it out means."""
    assert read(account_ids=given_ids) == read()


@pytest.mark.parametrize(
    "given_ids", ["1Example", "acct_", "acct_1 acct_2", "[1]", "{}", [None], 5, {}, True], ids=repr
)
def test_what_names_no_account_is_refused(given_ids: object) -> None:
    """Anything but account ids is a fault of its setting."""
    (fault,) = faults({"api_key": KEY, "account_ids": given_ids})
    assert fault.startswith("account_ids: ")
    assert fault.endswith(("is not an account id (acct_…)", "is not a list of account ids"))


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        *((word, True) for word in (True, "true", "True", " TRUE ", "1", 1, "yes", "on")),
        *((word, False) for word in (False, "false", "False", "0", 0, "no", "off")),
    ],
    ids=repr,
)
def test_booleans_may_be_words(*, word: object, wanted: bool) -> None:
    """Booleans may be the words that environment variables carry (G4)."""
    assert read(all_connected_accounts=word).all_connected_accounts is wanted
    assert read(include_platform=word).include_platform is wanted


@pytest.mark.parametrize("number", [50, "50", " 50 "], ids=repr)
def test_numbers_may_be_text(number: object) -> None:
    """Whole numbers may be text (G4)."""
    assert read(max_requests_per_second=number).max_requests_per_second == 50
    assert read(lag_seconds=number).lag_seconds == 50


@pytest.mark.parametrize(
    "number", [-1, "1.5", 1.5, True, "many", "1e3", "1_000", "٣", [], 10**9], ids=repr
)
def test_other_numbers_are_refused(number: object) -> None:
    """What is not a whole number in sensible bounds is a fault of its setting."""
    (fault,) = faults({"api_key": KEY, "lag_seconds": number})
    assert fault.startswith("lag_seconds: ")


def test_no_lag_is_allowed_but_no_budget_is_not() -> None:
    """Each number has its own least value."""
    assert read(lag_seconds=0).lag_seconds == 0
    assert faults({"api_key": KEY, "max_requests_per_second": 0}) == [
        "max_requests_per_second: 0 is too small; the minimum is 1"
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
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
def test_start_dates_come_in_every_form(text: object, wanted: int) -> None:
    """Dates, date-times and unix seconds are understood; without a zone they are UTC (G5)."""
    assert read(start_date=text).start == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
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
    text: str, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative date counts back from the present moment, by the calendar (G5)."""
    monkeypatch.setattr(pendulum, "now", lambda zone: pendulum.from_timestamp(NOON, zone))
    assert timestamp(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "31.01.2024", "2024-02-30", "2024-13-01", "2024-01-31T25:00:00Z"),
        *("2024-01-31/2024-02-01", "12", "-5", "5 days", "-5 days ago", True, 1.5, [], {}),
    ],
    ids=repr,
)
def test_other_start_dates_are_refused(text: object) -> None:
    """What cannot be read as a date is a fault that shows forms that can (G5)."""
    (fault,) = faults({"api_key": KEY, "start_date": text})
    assert fault.startswith("start_date: ")
    assert fault.endswith(
        "is not a date; use 2024-01-31, 2024-01-31T12:00:00Z, unix seconds or '30 days ago'"
    )


@stable
@given(
    st.text(max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\d[T ]?[0-9:.Z+-]{0,12}", fullmatch=True)
    | st.builds("{} {}s ago".format, st.integers(), SPAN)
)
def test_no_text_makes_start_date_crash(text: str) -> None:
    """Any text is a moment that can be asked for, or a fault that names the setting."""
    try:
        assert read(start_date=text).start >= 0
    except SettingsError as error:
        (fault,) = error.errors
        assert fault.startswith("start_date: ")


@pytest.mark.parametrize("key", ["sk_live_1Example", "rk_live_1Example", " sk_test_1Example\n"])
def test_secret_and_restricted_keys_are_taken(key: str) -> None:
    """Secret and restricted keys of both modes are taken, less the white space of pasting."""
    taken = parse({"api_key": key})
    assert taken.api_key == key.strip()
    assert taken.livemode is ("_live_" in key)


ORGANISATIONS = ["sk_org_1Example", "sk_org_live_1Example", "sk_org_test_1Example"]


@pytest.mark.parametrize("key", ORGANISATIONS)
def test_an_organisations_key_reads_the_accounts_that_are_named(key: str) -> None:
    """Its accounts may be named behind their platform's; it is live unless it says otherwise."""
    taken = parse({"api_key": key, "account_ids": "acct_1Example, acct_1Example/acct_2Example"})
    assert taken.has_organization_key
    assert taken.account_ids == ("acct_1Example", "acct_1Example/acct_2Example")
    assert not taken.include_platform
    assert taken.livemode is ("_test_" not in key)


@pytest.mark.parametrize("key", ORGANISATIONS)
def test_what_an_organisations_key_cannot_do_is_told_together(key: str) -> None:
    """It has no account of its own and finds none, so accounts have to be named (D11)."""
    told = faults({"api_key": key, "all_connected_accounts": True, "include_platform": "yes"})
    assert [fault.partition(":")[0] for fault in told] == [
        "account_ids is missing",
        "all_connected_accounts",
        "include_platform",
    ]


@pytest.mark.parametrize("nothing", [None, "", [], ","], ids=repr)
def test_an_organisations_key_without_accounts_is_a_fault(nothing: object) -> None:
    """No form of nothing passes for a list of accounts (D11)."""
    (fault,) = faults({"api_key": ORGANISATIONS[0], "account_ids": nothing})
    assert fault.startswith("account_ids is missing: ")


def test_only_an_organisations_key_reaches_through_a_platform() -> None:
    """Another key's account cannot be named behind that of a platform."""
    (fault,) = faults({"api_key": KEY, "account_ids": "acct_1Example/acct_2Example"})
    assert fault == "account_ids: 'acct_1Example/acct_2Example' needs an organization key"
    assert not read().has_organization_key


@pytest.mark.parametrize(
    ("text", "wanted"), [("3/16", (3, 16)), (" 1 / 1 ", ALL_ACCOUNTS), ("16/16", (16, 16))]
)
def test_shards_are_read(text: str, wanted: tuple[int, int]) -> None:
    """A shard is a number of how many there are."""
    assert read(shard=text).shard == wanted


@pytest.mark.parametrize(
    "text",
    ["0/4", "5/4", "1/0", "0/0", "3", "/4", "a/b", "1/2/3", "-1/4", "1.5/2", "٣/٤", 3, []],
    ids=repr,
)
def test_other_shards_are_refused(text: object) -> None:
    """What is no part of a whole is a fault that shows the form."""
    assert faults({"api_key": KEY, "shard": text}) == [
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
def test_other_keys_are_refused_by_kind(key: object, message: str) -> None:
    """A key that cannot read is refused before any request, with what to use instead (C6)."""
    (fault,) = faults({"api_key": key})
    assert fault.startswith("api_key: ")
    assert message in fault
    assert "Example" not in fault


@every_setting
@pytest.mark.parametrize(
    "form", ["{}", " {}", "{},acct_1Example", '["{}"]', "x {} x", "https://{}@"], ids=repr
)
def test_no_fault_tells_a_secret(setting: Any, form: str) -> None:
    """A key that was pasted into any setting, in any form, appears in no message."""
    config = {"api_key": "broken " + SECRET, setting.name: form.format(SECRET)}
    try:
        told = repr(parse(config))
    except SettingsError as error:
        told = f"{error} {error!r} {error.errors}"
    assert "Planted" not in told
    assert len(told.splitlines()) == 1


def test_settings_do_not_show_their_key() -> None:
    """The settings can be logged without telling the key."""
    assert KEY not in repr(read())
    assert "Example" not in str(read())


@pytest.mark.parametrize(("key", "wanted"), [("sk_live_1Example", 50), ("sk_test_1Example", 12)])
def test_the_budget_is_half_of_what_the_mode_allows(key: str, wanted: int) -> None:
    """Without a budget of one's own, half of Stripe's limit is left to everybody else."""
    assert parse({"api_key": key}).max_requests_per_second == wanted


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, True),
        ({"all_connected_accounts": True}, True),
        ({"account_ids": "acct_1Example"}, False),
        ({"account_ids": "acct_1Example", "include_platform": True}, True),
        ({"include_platform": False}, False),
    ],
)
def test_naming_accounts_leaves_the_platform_out(*, config: dict[str, Any], wanted: bool) -> None:
    """The key's own account is read unless accounts are named or it is excluded."""
    assert read(**config).include_platform is wanted


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://api.stripe.com/", "https://api.stripe.com"),
        ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
        ("http://[::1]:8420/", "http://[::1]:8420"),
        ("http://LocalHost:8420", "http://LocalHost:8420"),
        (" https://proxy.example/stripe/ ", "https://proxy.example/stripe"),
    ],
)
def test_addresses_lose_their_last_slash(url: str, wanted: str) -> None:
    """An address is what paths can be put behind."""
    assert read(api_url=url).api_url == wanted


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
def test_other_addresses_are_refused(url: object) -> None:
    """What is no plain address is a fault, and is not shown, as it may hold a password."""
    assert faults({"api_key": KEY, "api_url": url}) == ["api_url: not an http or https URL"]


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
def test_plain_http_beyond_this_machine_is_refused(url: str) -> None:
    """The key would travel in clear text."""
    (fault,) = faults({"api_key": KEY, "api_url": url})
    assert fault.startswith("api_url: the key would be sent unencrypted; use https")


@pytest.mark.parametrize("version", ["2020-08-27", "2026-10-28.endive", " 2024-06-20 "])
def test_api_versions_are_dates_with_a_name(version: str) -> None:
    """Versions of both Stripe's old and new kind are taken."""
    assert read(api_version=version).api_version == version.strip()


@every_setting
def test_every_setting_has_a_reader_and_a_schema(setting: Any) -> None:
    """A row of the table can be read, and shows users its kind, default and meaning."""
    assert PARSERS[setting.name] is setting.parse
    shown = json_schema()["properties"][setting.name]
    assert shown["description"] == setting.description.strip() != ""
    types = {"date-time": "string", "option": "string"}
    assert shown["type"][0] == types.get(setting.kind, setting.kind)
    assert ("null" in shown["type"]) is not setting.required
    assert shown.get("default") == setting.default
    assert shown.get("secret", False) is setting.sensitive
    assert setting.required or setting.default is not None or setting.shown_default


def test_the_schema_holds_the_settings_and_no_others() -> None:
    """Readers, schema and the settings object speak of the same settings."""
    schema = json_schema()
    names = [setting.name for setting in SETTINGS]
    assert list(schema["properties"]) == list(PARSERS) == names
    assert schema["required"] == ["api_key"]
    assert {name if name != "start" else "start_date" for name in Settings.__annotations__} == {
        *names
    }
    jsonschema.Draft7Validator.check_schema(schema)


@every_setting
def test_defaults_are_what_their_readers_accept(setting: Any) -> None:
    """A default and every option of a setting can be written out in a configuration."""
    for value in [setting.default, *setting.options]:
        if value is not None:
            assert PARSERS[setting.name](value) == value


@pytest.mark.parametrize("name", ["on_permission_error", "on_account_error"])
@pytest.mark.parametrize(("word", "wanted"), [("warn", "warn"), (" FAIL ", "fail")])
def test_options_are_words_of_a_list(name: str, word: str, wanted: str) -> None:
    """An option is read whatever its case; another word is a fault that lists the options."""
    assert getattr(read(**{name: word}), name) == wanted
    assert faults({"api_key": KEY, name: "never"}) == [f"{name}: 'never' is not one of fail, warn"]
