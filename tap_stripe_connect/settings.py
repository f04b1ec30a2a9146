"""Configuration: the table of settings, and one frozen object made of what users gave."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

import pendulum

from tap_stripe_connect.api.errors import redact
from tap_stripe_connect.catalog import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OnError = Literal["fail", "warn"]

REQUESTS_ALLOWED = {"live": 100, "test": 25}
"""Requests per second that Stripe allows an account (https://docs.stripe.com/rate-limits)."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the settings table."""

    name: str
    kind: Literal["string", "array", "boolean", "date-time", "integer", "option"]
    description: str
    default: Any = None
    shown_default: str = ""
    """What documentation shows where the default depends on other settings."""
    required: bool = False
    sensitive: bool = False
    options: tuple[str, ...] = ()


SETTINGS = (
    Setting(
        name="api_key",
        kind="string",
        description="Secret or restricted key (sk_… or rk_…) of the account or platform.",
        required=True,
        sensitive=True,
    ),
    Setting(
        name="account_ids",
        kind="array",
        description="Connected accounts to read (acct_…).",
        shown_default="none",
    ),
    Setting(
        name="all_connected_accounts",
        kind="boolean",
        description="Read every account connected to the platform.",
        default=False,
    ),
    Setting(
        name="exclude_account_ids",
        kind="array",
        description="Connected accounts to leave out.",
        shown_default="none",
    ),
    Setting(
        name="include_platform",
        kind="boolean",
        description="Also read the key's own account.",
        shown_default="true; false with account_ids",
    ),
    Setting(
        name="start_date",
        kind="date-time",
        description=(
            "Oldest creation time to load: a date, a date-time, unix seconds, "
            "or relative such as '30 days ago'."
        ),
        shown_default="all history",
    ),
    Setting(
        name="api_url",
        kind="string",
        description="Where Stripe answers: a proxy, or the simulator.",
        default="https://api.stripe.com",
    ),
    Setting(
        name="api_version",
        kind="string",
        description="Stripe API version to ask for; the schemas fit the default.",
        default=API_VERSION,
    ),
    Setting(
        name="max_requests_per_second",
        kind="integer",
        description="Request budget over all threads, streams and accounts.",
        shown_default="half of what Stripe allows: 50 live, 12 test",
    ),
    Setting(
        name="lag_seconds",
        kind="integer",
        description="How far bookmarks stay behind Stripe's clock, in seconds.",
        default=300,
    ),
    Setting(
        name="on_permission_error",
        kind="option",
        description="Exit non-zero or zero after the key was denied a stream.",
        default="fail",
        options=("fail", "warn"),
    ),
    Setting(
        name="on_account_error",
        kind="option",
        description="Exit non-zero or zero after an account could not be read.",
        default="fail",
        options=("fail", "warn"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What users configured, checked and in the types that the tap works with."""

    api_key: str = field(repr=False)
    account_ids: tuple[str, ...]
    all_connected_accounts: bool
    exclude_account_ids: frozenset[str]
    include_platform: bool
    start: int
    """Oldest `created` to load, in unix seconds; 0 for all history."""
    api_url: str
    api_version: str
    max_requests_per_second: int
    lag_seconds: int
    on_permission_error: OnError
    on_account_error: OnError

    @property
    def livemode(self) -> bool:
        """Whether the key is a live key."""
        return "_live_" in self.api_key


class SettingsError(Exception):
    """The configuration has faults; `faults` has one line for each."""

    def __init__(self, faults: list[str]) -> None:
        """Keep every fault, so that users can mend all at once."""
        super().__init__("; ".join(faults))
        self.faults = faults


def parse(config: Mapping[str, Any]) -> Settings:
    """Make the settings of `config`, or raise SettingsError with everything that is wrong."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        given = config.get(setting.name)
        if given is None or given == "":
            values[setting.name] = setting.default
            if setting.required:
                faults.append(f"{setting.name} is missing: {setting.description}")
            continue
        try:
            values[setting.name] = READERS[setting.name](given)
        except ValueError as fault:
            # A key pasted into the wrong setting is still a secret.
            faults.append(redact(f"{setting.name}: {fault}"))
    if faults:
        raise SettingsError(faults)
    return _complete(values)


def _complete(values: dict[str, Any]) -> Settings:
    """Fill in the defaults that depend on other settings."""
    account_ids = tuple(dict.fromkeys(values.pop("account_ids") or ()))
    excluded = frozenset(values.pop("exclude_account_ids") or ())
    include_platform = values.pop("include_platform")
    budget = values.pop("max_requests_per_second")
    mode = "live" if "_live_" in values["api_key"] else "test"
    return Settings(
        account_ids=account_ids,
        exclude_account_ids=excluded,
        include_platform=not account_ids if include_platform is None else include_platform,
        max_requests_per_second=budget or REQUESTS_ALLOWED[mode] // 2,
        start=max(0, values.pop("start_date") or 0),
        **values,
    )


def _api_key(given: object) -> str:
    key = str(given).strip()
    if key.startswith("pk_"):
        raise ValueError(
            "this is a publishable key, which cannot read data; "
            "use a restricted (rk_…) or secret (sk_…) key"
        )
    if key.startswith("sk_org_"):
        raise ValueError("organisation keys are not supported; use a key of one account")
    if not re.fullmatch(r"(sk|rk)_\w+", key, re.ASCII):
        raise ValueError(
            "not a Stripe key; a restricted key starts with rk_, a secret one with sk_"
        )
    return key


def _url(given: object) -> str:
    url = str(given).strip().rstrip("/")
    if not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", url):
        raise ValueError("not an http or https address")
    return url


def _api_version(given: object) -> str:
    version = str(given).strip()
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.\w+)?", version, re.ASCII):
        raise ValueError(f"{version!r} is not an API version such as {API_VERSION}")
    return version


def _account_ids(given: object) -> list[str]:
    """Read a list, a JSON list or names with commas between them, as environments give them."""
    if isinstance(given, str):
        text = given.strip()
        try:
            given = json.loads(text) if text.startswith("[") else text.split(",")
        except ValueError:
            raise ValueError(f"{text!r} is not a JSON list") from None
    if not isinstance(given, list):
        raise ValueError(f"{given!r} is not a list of account ids")  # noqa: TRY004 - a fault of input
    ids = [str(item).strip() for item in given if str(item).strip()]
    for account_id in ids:
        if not re.fullmatch(r"acct_\w+", account_id, re.ASCII):
            raise ValueError(f"{account_id!r} is not an account id (acct_…)")
    return ids


def _boolean(given: object) -> bool:
    word = str(given).strip().lower()
    if word in {"true", "1", "yes", "on"}:
        return True
    if word in {"false", "0", "no", "off"}:
        return False
    raise ValueError(f"{given!r} is neither true nor false")


def _integer(lowest: int) -> Callable[[object], int]:
    def read(given: object) -> int:
        if isinstance(given, bool) or not re.fullmatch(r"\d{1,9}", str(given).strip(), re.ASCII):
            raise ValueError(f"{given!r} is not a whole number")
        number = int(str(given))
        if number < lowest:
            raise ValueError(f"{number} is too small; the least is {lowest}")
        return number

    return read


def _option(*options: str) -> Callable[[object], str]:
    def read(given: object) -> str:
        word = str(given).strip().lower()
        if word not in options:
            raise ValueError(f"{given!r} is not one of {', '.join(options)}")
        return word

    return read


def moment(given: object) -> int:
    """Read a point in time as unix seconds; a date or date-time without zone is UTC.

    Raises ValueError, saying which forms are understood.
    """
    text = str(given).strip().lower()
    if re.fullmatch(r"\d{9,10}", text, re.ASCII):
        return int(text)
    if ago := re.fullmatch(r"(\d{1,5}) (second|minute|hour|day|week|month|year)s? ago", text):
        span = {f"{ago[2]}s": int(ago[1])}
        return pendulum.now("UTC").subtract(**span).int_timestamp
    if re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        try:
            parsed = pendulum.parse(str(given).strip(), strict=True)
        except (ValueError, OverflowError, TypeError):
            parsed = None
        if isinstance(parsed, datetime):
            return int(parsed.timestamp())
        if isinstance(parsed, date):
            return int(datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC).timestamp())
    raise ValueError(
        f"{given!r} is not a date; use 2024-01-31, 2024-01-31T12:00:00Z, "
        "unix seconds or '30 days ago'"
    )


READERS: Mapping[str, Callable[[object], Any]] = {
    "api_key": _api_key,
    "account_ids": _account_ids,
    "all_connected_accounts": _boolean,
    "exclude_account_ids": _account_ids,
    "include_platform": _boolean,
    "start_date": moment,
    "api_url": _url,
    "api_version": _api_version,
    "max_requests_per_second": _integer(1),
    "lag_seconds": _integer(0),
    "on_permission_error": _option("fail", "warn"),
    "on_account_error": _option("fail", "warn"),
}


def json_schema() -> dict[str, Any]:
    """Return the settings as the JSON schema that `--about` and Meltano show."""
    return {
        "type": "object",
        "properties": {setting.name: _property(setting) for setting in SETTINGS},
        "required": [setting.name for setting in SETTINGS if setting.required],
    }


def _property(setting: Setting) -> dict[str, Any]:
    types: dict[str, dict[str, Any]] = {
        "array": {"type": ["array", "null"], "items": {"type": "string"}},
        "date-time": {"type": ["string", "null"], "format": "date-time"},
        "option": {"type": ["string", "null"], "enum": [*setting.options, None]},
    }
    shape = types.get(setting.kind, {"type": [setting.kind, "null"]})
    if setting.required:
        shape = {**shape, "type": [setting.kind]}
    if setting.default is not None:
        shape = {**shape, "default": setting.default}
    if setting.sensitive:
        shape = {**shape, "secret": True, "writeOnly": True}
    return {**shape, "description": setting.description}
