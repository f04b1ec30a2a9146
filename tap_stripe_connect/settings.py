"""Configuration: the table of settings, and one frozen object made of what users gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from tap_stripe_connect import values
from tap_stripe_connect.api.api_keys import is_live, is_organisations
from tap_stripe_connect.api.errors import redact
from tap_stripe_connect.catalog import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_stripe_connect.values import Shard

OnError = Literal["fail", "warn"]
ON_ERROR: tuple[OnError, ...] = get_args(OnError)

REQUESTS_ALLOWED = {True: 100, False: 25}
"""Requests per second that Stripe allows an account, by whether the key is a live one
(https://docs.stripe.com/rate-limits)."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the settings table."""

    name: str
    kind: Literal["string", "array", "boolean", "date-time", "integer", "option"]
    description: str
    read: Callable[[object], Any]
    """Makes of what users gave what the tap works with; ValueError says what is wrong with it."""
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
        read=values.api_key,
        description=(
            "Secret or restricted key (sk_… or rk_…) of the account or platform, "
            "or an organisation's key (sk_org_…)."
        ),
        required=True,
        sensitive=True,
    ),
    Setting(
        name="account_ids",
        kind="array",
        read=values.account_paths,
        description=(
            "Connected accounts to read (acct_…); with an organisation's key its accounts, "
            "or platform/connected."
        ),
        shown_default="none",
    ),
    Setting(
        name="all_connected_accounts",
        kind="boolean",
        read=values.boolean,
        description="Read every account connected to the platform.",
        default=False,
    ),
    Setting(
        name="exclude_account_ids",
        kind="array",
        read=values.account_ids,
        description="Connected accounts to leave out.",
        shown_default="none",
    ),
    Setting(
        name="shard",
        kind="string",
        read=values.shard,
        description=(
            "Read only this part of the accounts, such as 3/16, "
            "while other runs, each with a state of its own, read the others."
        ),
        shown_default="all accounts",
    ),
    Setting(
        name="include_platform",
        kind="boolean",
        read=values.boolean,
        description="Also read the key's own account.",
        shown_default="true; false with account_ids",
    ),
    Setting(
        name="start_date",
        kind="date-time",
        read=values.moment,
        description=(
            "Oldest creation time to load: a date, a date-time, unix seconds, "
            "or relative such as '30 days ago'."
        ),
        shown_default="all history",
    ),
    Setting(
        name="api_url",
        kind="string",
        read=values.url,
        description="Where Stripe answers: a proxy, or the simulator.",
        default="https://api.stripe.com",
    ),
    Setting(
        name="api_version",
        kind="string",
        read=values.api_version,
        description="Stripe API version to ask for; the schemas fit the default.",
        default=API_VERSION,
    ),
    Setting(
        name="max_requests_per_second",
        kind="integer",
        read=values.integer(1),
        description="Request budget over all threads, streams and accounts.",
        shown_default="half of what Stripe allows: 50 live, 12 test",
    ),
    Setting(
        name="lag_seconds",
        kind="integer",
        read=values.integer(0),
        description="How far bookmarks stay behind Stripe's clock, in seconds.",
        default=300,
    ),
    Setting(
        name="recheck_interval",
        kind="integer",
        read=values.integer(0),
        description=(
            "Seconds after which a run also checks what the event feed cannot prove; "
            "0 checks in every run."
        ),
        default=86_400,
    ),
    Setting(
        name="on_permission_error",
        kind="option",
        read=values.option(*ON_ERROR),
        description="Exit non-zero or zero after the key was denied a stream.",
        default="fail",
        options=ON_ERROR,
    ),
    Setting(
        name="on_account_error",
        kind="option",
        read=values.option(*ON_ERROR),
        description="Exit non-zero or zero after an account could not be read.",
        default="fail",
        options=ON_ERROR,
    ),
)

READERS: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {setting.name: setting.read for setting in SETTINGS}
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What users configured, checked and in the types that the tap works with."""

    api_key: str = field(repr=False)
    account_ids: tuple[str, ...]
    """With an organisation's key perhaps `platform/connected`."""
    all_connected_accounts: bool
    exclude_account_ids: frozenset[str]
    shard: Shard
    include_platform: bool
    start: int
    """Oldest `created` to load, in unix seconds; 0 for all history."""
    api_url: str
    api_version: str
    max_requests_per_second: int
    lag_seconds: int
    recheck_interval: int
    on_permission_error: OnError
    on_account_error: OnError

    @property
    def livemode(self) -> bool:
        """Whether the key is a live key."""
        return is_live(self.api_key)

    @property
    def organisation(self) -> bool:
        """Whether the key is an organisation's, so that every request has to name its account."""
        return is_organisations(self.api_key)


class SettingsError(Exception):
    """The configuration has faults; `faults` has one line for each."""

    def __init__(self, faults: list[str]) -> None:
        """Keep every fault, so that users can mend all at once."""
        super().__init__("; ".join(faults))
        self.faults = faults


def parse(config: Mapping[str, Any]) -> Settings:
    """Make the settings of `config`, or raise SettingsError with everything that is wrong."""
    read: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        given = config.get(setting.name)
        if given is None or given == "":
            read[setting.name] = setting.default
            if setting.required:
                faults.append(f"{setting.name} is missing: {setting.description}")
            continue
        try:
            read[setting.name] = setting.read(given)
        except ValueError as fault:
            # A key pasted into the wrong setting is still a secret.
            faults.append(redact(f"{setting.name}: {fault}"))
    faults += _conflicts(read)
    if faults:
        raise SettingsError(faults)
    return _complete(read)


def _conflicts(read: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with settings that are right by themselves; faulty ones are missing."""
    if not is_organisations(read.get("api_key") or ""):
        paths = [name for name in read.get("account_ids") or () if "/" in name]
        return [f"account_ids: {name!r} needs an organisation's key" for name in paths[:1]]
    faults = []
    if read.get("account_ids", ()) in (None, []):
        faults.append(
            "account_ids is missing: an organisation's key reads the accounts named there"
        )
    if read.get("all_connected_accounts"):
        faults.append(
            "all_connected_accounts: an organisation's key finds no accounts; "
            "name them in account_ids"
        )
    if read.get("include_platform"):
        faults.append(
            "include_platform: an organisation's key has no account of its own; "
            "name the platform in account_ids"
        )
    return faults


def _complete(read: dict[str, Any]) -> Settings:
    """Fill in the defaults that depend on other settings."""
    account_ids = tuple(dict.fromkeys(read.pop("account_ids") or ()))
    excluded = frozenset(read.pop("exclude_account_ids") or ())
    include_platform = read.pop("include_platform")
    budget = read.pop("max_requests_per_second")
    return Settings(
        account_ids=account_ids,
        exclude_account_ids=excluded,
        shard=read.pop("shard") or values.ALL,
        include_platform=not account_ids if include_platform is None else include_platform,
        max_requests_per_second=budget or REQUESTS_ALLOWED[is_live(read["api_key"])] // 2,
        start=max(0, read.pop("start_date") or 0),
        **read,
    )


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
