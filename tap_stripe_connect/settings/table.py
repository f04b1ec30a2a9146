"""The table of settings, and the JSON schema made from it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from tap_stripe_connect.catalog import API_VERSION
from tap_stripe_connect.settings import parsers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OnError = Literal["fail", "warn"]
ON_ERROR: tuple[OnError, ...] = get_args(OnError)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A row of the settings table."""

    name: str
    kind: Literal["string", "array", "boolean", "date-time", "integer", "option"]
    description: str
    parse: Callable[[object], Any]
    """Parses a value from a file or the environment; ValueError says what is wrong with it."""
    default: Any = None
    shown_default: str = ""
    """The default as documented, where it depends on other settings."""
    required: bool = False
    sensitive: bool = False
    options: tuple[str, ...] = ()


SETTINGS = (
    Setting(
        name="api_key",
        kind="string",
        parse=parsers.api_key,
        description=(
            "Secret or restricted key (sk_… or rk_…) of the account or platform, "
            "or an organization key (sk_org_…)."
        ),
        required=True,
        sensitive=True,
    ),
    Setting(
        name="account_ids",
        kind="array",
        parse=parsers.account_paths,
        description=(
            "Connected accounts to read (acct_…); with an organization key, its accounts "
            "or platform/connected."
        ),
        shown_default="none",
    ),
    Setting(
        name="all_connected_accounts",
        kind="boolean",
        parse=parsers.boolean,
        description="Read every account connected to the platform.",
        default=False,
    ),
    Setting(
        name="exclude_account_ids",
        kind="array",
        parse=parsers.account_ids,
        description="Connected accounts to skip.",
        shown_default="none",
    ),
    Setting(
        name="shard",
        kind="string",
        parse=parsers.shard,
        description=(
            "Read only one part of the accounts, such as 3/16; "
            "other runs, each with its own state, read the other parts."
        ),
        shown_default="all accounts",
    ),
    Setting(
        name="include_platform",
        kind="boolean",
        parse=parsers.boolean,
        description="Also read the key's own account.",
        shown_default="true; false with account_ids",
    ),
    Setting(
        name="start_date",
        kind="date-time",
        parse=parsers.timestamp,
        description=(
            "Earliest creation time to load: a date, a date-time, unix seconds, "
            "or relative such as '30 days ago'."
        ),
        shown_default="all history",
    ),
    Setting(
        name="api_url",
        kind="string",
        parse=parsers.url,
        description="URL of the Stripe API, of a proxy, or of the simulator.",
        default="https://api.stripe.com",
    ),
    Setting(
        name="api_version",
        kind="string",
        parse=parsers.api_version,
        description="Stripe API version to request; the schemas match the default.",
        default=API_VERSION,
    ),
    Setting(
        name="max_requests_per_second",
        kind="integer",
        parse=parsers.integer(1),
        description="Rate limit shared by all threads, streams and accounts.",
        shown_default="half of Stripe's limit: 50 live, 12 test",
    ),
    Setting(
        name="lag_seconds",
        kind="integer",
        parse=parsers.integer(0),
        description="How many seconds bookmarks stay behind Stripe's clock.",
        default=300,
    ),
    Setting(
        name="recheck_interval",
        kind="integer",
        parse=parsers.integer(0),
        description=(
            "Seconds between checks for changes that the event feed does not report; "
            "0 checks in every run."
        ),
        default=86_400,
    ),
    Setting(
        name="on_permission_error",
        kind="option",
        parse=parsers.option(*ON_ERROR),
        description="Exit non-zero (fail) or zero (warn) if the key may not read a stream.",
        default="fail",
        options=ON_ERROR,
    ),
    Setting(
        name="on_account_error",
        kind="option",
        parse=parsers.option(*ON_ERROR),
        description="Exit non-zero (fail) or zero (warn) if an account cannot be read.",
        default="fail",
        options=ON_ERROR,
    ),
)

PARSERS: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {setting.name: setting.parse for setting in SETTINGS}
)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the settings, which `--about` and Meltano show."""
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
