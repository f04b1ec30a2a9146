"""What an account is called, and whether it can be read."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from requests import codes

from tap_stripe_connect.api.api_keys import is_live, is_organization_key
from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.errors import ErrorAction, StripeError, account_in
from tap_stripe_connect.api.rate_limit import Limiter
from tap_stripe_connect.connect.outcome import Access, ConnectedAccount, Kind
from tap_stripe_connect.connect.refusals import Refusal, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 80
NAMES = (
    ("settings", "dashboard", "display_name"),
    ("business_profile", "name"),
    ("company", "name"),
    ("business_name",),
    ("email",),
)
"""Where an account's name stands, the best one first."""
CONTENTS = ("/v1/charges", "/v1/customers", "/v1/balance_transactions")
"""What an account that was ever used has some of."""
REQUESTS_PER_SECOND = 25
REFUSED = range(400, 500)
"""HTTP statuses by which Stripe says no."""


class Glance(Client):
    """A client for somebody who waits: it gives up soon."""

    attempts = 2
    rate_limited_attempts = 2
    timeout = (5.0, 8.0)


def glance(api_url: str, key: str, api_version: str) -> Glance:
    """Return a client that several threads may share."""
    return Glance(
        url=api_url,
        api_key=key,
        api_version=api_version,
        limiter=Limiter(REQUESTS_PER_SECOND),
        stopping=threading.Event(),
    )


def platform(api_url: str, key: str, api_version: str) -> ConnectedAccount:
    """Return the key's own account, with an empty id if the key may not know it.

    A key that Stripe does not accept is a Refusal, and so is a Stripe that does not answer.
    """
    found = look_at(api_url, key, api_version, None)
    if found.access is Access.OK:
        return found
    what = "Stripe does not accept the key" if found.access is Access.DENIED else "No answer"
    raise Refusal(Kind.FAILED, f"{what}: {found.reason}", "Nothing was changed.")


def look_at(
    api_url: str,
    key: str,
    api_version: str,
    account_id: str | None,
    *,
    contents: bool = False,
) -> ConnectedAccount:
    """Return an account as it stands; None is the key's own. What fails is told in it.

    Whether it is empty is looked up with `contents` only, as that takes up to three requests.
    """
    return Look(api_url, key, api_version).at(account_id, contents=contents)


class Look:
    """Looks at any number of accounts through one client, from any thread."""

    def __init__(self, api_url: str, key: str, api_version: str) -> None:
        """Look with a key, which also tells the mode."""
        self._client = glance(api_url, key, api_version)
        self._livemode = is_live(key)
        self._organisation = is_organization_key(key)

    def at(self, account_id: str | None, *, contents: bool = False) -> ConnectedAccount:
        """Return an account as it stands; what fails is told in it.

        With an organisation's key it may be `platform/connected`, and keeps that name.
        """
        try:
            document = self._document(account_id)
            empty = contents and self._empty(account_id)
        except StripeError as error:
            return ConnectedAccount(
                account_id or account_in(error.message),
                livemode=self._livemode,
                access=access_after(error),
                reason=" - ".join(filter(None, (one_line(error.message), error.advice))),
                key_refused=error.action is ErrorAction.STOP,
            )
        found = str(document.get("id") or "")
        country = str(document.get("country"))
        return ConnectedAccount(
            account_id or found,
            name=name_in(document),
            country=country if re.fullmatch("[A-Z]{2}", country) else "",
            livemode=self._livemode,
            empty=empty,
        )

    def _document(self, account_id: str | None) -> Mapping[str, Any]:
        """Return the account's own description, or of a key that may not see it only the id."""
        try:
            return self._client.account(account_id).document
        except StripeError as error:
            if error.action is not ErrorAction.SKIP_STREAM:
                raise
            own = account_in(error.message)
        if account_id is None:
            return {"id": own}
        platform, _, connected = account_id.rpartition("/")
        if self._organisation and not platform:
            return {"id": connected}
        try:
            return self._client.get(
                f"/v1/accounts/{connected}",
                account=platform or None,
                route="/v1/accounts/{id}",
                objects=("account",),
                id_=connected,
            ).document
        except StripeError as error:
            if error.action is not ErrorAction.SKIP_STREAM:
                raise
        return {"id": connected}

    def _empty(self, account_id: str | None) -> bool:
        """Tell whether all that may be looked at has no row; a refusal is no proof of that."""
        for path in CONTENTS:
            try:
                if self._client.page(path, {"limit": "1"}, account_id).rows:
                    return False
            except StripeError as error:
                # Where the path does not exist, nothing lies there.
                if error.status != codes.not_found:
                    return False
        return True


def access_after(error: StripeError) -> Access:
    """Tell what an error means for reading the account; trouble on the way means nothing."""
    decided = error.action in {ErrorAction.SKIP_ACCOUNT, ErrorAction.SKIP_STREAM, ErrorAction.STOP}
    return Access.DENIED if decided and (error.status or 0) in REFUSED else Access.UNKNOWN


def name_in(document: Mapping[str, Any]) -> str:
    """Return the name that an account's owner chose, safe to print, or an empty text."""
    for path in NAMES:
        value: Any = document
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        name = one_line(value, most=LONGEST_NAME) if isinstance(value, str) else ""
        if name:
            return name
    return ""
