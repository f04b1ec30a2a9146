"""Parses a configuration into `Settings`, and collects everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.api.api_keys import is_live, is_organization_key
from tap_stripe_connect.api.errors import redact
from tap_stripe_connect.settings.parsers import ALL_ACCOUNTS
from tap_stripe_connect.settings.table import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.settings.parsers import Shard
    from tap_stripe_connect.settings.table import OnError

REQUESTS_ALLOWED = {True: 100, False: 25}
"""Requests per second that Stripe allows an account, by whether the key is a live key
(https://docs.stripe.com/rate-limits)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The validated configuration, in the types that the tap works with."""

    api_key: str = field(repr=False)
    account_ids: tuple[str, ...]
    """With an organization key, items may be `platform/connected`."""
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
    def has_organization_key(self) -> bool:
        """Whether every request has to name its account, because the key has none of its own."""
        return is_organization_key(self.api_key)


class SettingsError(Exception):
    """The configuration is invalid; `errors` has one line for each mistake."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


def parse(config: Mapping[str, Any]) -> Settings:
    """Return the settings in `config`; raises SettingsError with all mistakes at once."""
    parsed: dict[str, Any] = {}
    errors: list[str] = []
    for setting in SETTINGS:
        value = config.get(setting.name)
        if value is None or value == "":
            parsed[setting.name] = setting.default
            if setting.required:
                errors.append(f"{setting.name} is missing: {setting.description}")
            continue
        try:
            parsed[setting.name] = setting.parse(value)
        except ValueError as error:
            # A key pasted into the wrong setting is still a secret.
            errors.append(redact(f"{setting.name}: {error}"))
    errors += _conflicts(parsed)
    if errors:
        raise SettingsError(errors)
    return _with_dependent_defaults(parsed)


def _conflicts(parsed: Mapping[str, Any]) -> list[str]:
    """Return errors about valid settings that contradict each other; invalid ones are absent."""
    if not is_organization_key(parsed.get("api_key") or ""):
        paths = [name for name in parsed.get("account_ids") or () if "/" in name]
        return [f"account_ids: {name!r} needs an organization key" for name in paths[:1]]
    errors = []
    if parsed.get("account_ids", ()) in (None, []):
        errors.append(
            "account_ids is missing: an organization key reads only the accounts listed there"
        )
    if parsed.get("all_connected_accounts"):
        errors.append(
            "all_connected_accounts: an organization key cannot list connected accounts; "
            "list them in account_ids"
        )
    if parsed.get("include_platform"):
        errors.append(
            "include_platform: an organization key has no account of its own; "
            "add the platform to account_ids"
        )
    return errors


def _with_dependent_defaults(parsed: dict[str, Any]) -> Settings:
    """Return the settings, with the defaults that depend on other settings filled in."""
    account_ids = tuple(dict.fromkeys(parsed.pop("account_ids") or ()))
    excluded = frozenset(parsed.pop("exclude_account_ids") or ())
    include_platform = parsed.pop("include_platform")
    budget = parsed.pop("max_requests_per_second")
    return Settings(
        account_ids=account_ids,
        exclude_account_ids=excluded,
        shard=parsed.pop("shard") or ALL_ACCOUNTS,
        include_platform=not account_ids if include_platform is None else include_platform,
        max_requests_per_second=budget or REQUESTS_ALLOWED[is_live(parsed["api_key"])] // 2,
        start=max(0, parsed.pop("start_date") or 0),
        **parsed,
    )
