"""Sign-in and consent: from a platform's link to the redirect back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.connect import oauth_errors, pages
from tap_stripe_connect.simulator.connect.oauth_errors import OAuthError
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.calls import Call
    from tap_stripe_connect.simulator.connect.registry import Client
    from tap_stripe_connect.simulator.world import World

CHOICES = 8
"""Number of accounts that the sign-in page offers; others can be entered."""


@dataclass(frozen=True)
class Request:
    """The parameters of a valid link."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None


def start(world: World, call: Call) -> Response:
    """Return the sign-in page."""
    request = _request(world, dict(call.pairs))
    return pages.sign_in(request.client, world.signups(CHOICES))


def proceed(world: World, call: Call) -> Response:
    """Return the consent page after sign-in, or the redirect after consent."""
    request = _request(world, dict(call.pairs))
    account = world.sign_in(call.form.get("account", ""))
    if account is None:
        return pages.sign_in(request.client, world.signups(CHOICES), failed=True)
    decision = call.form.get("decision")
    if decision == "deny":
        return _back(
            request, error="access_denied", error_description="The user denied your request"
        )
    elsewhere = _controlled_elsewhere(request, account)
    if decision != "allow":
        return pages.consent(request.client, account, request.scope, controlled=elsewhere)
    if elsewhere:
        account = world.add_signup(identifier("account", account.id, request.client.id))
    code = world.connect.consent(request.client, account, request.scope)
    return _back(request, scope=request.scope, code=code)


def _controlled_elsewhere(request: Request, account: Account) -> bool:
    """Return whether Stripe creates a new account because another platform controls this one."""
    return request.scope == "read_write" and account.controlled_by not in {
        None,
        request.client.account,
    }


def _request(world: World, given: Mapping[str, str]) -> Request:
    state = given.get("state")
    if "client_id" not in given:
        raise OAuthError("invalid_request", "No client_id specified", state=state)
    client = world.connect.client(given["client_id"])
    if client is None:
        raise oauth_errors.unknown_application()
    if not client.enabled:
        raise oauth_errors.oauth_disabled()
    redirect_uri = given.get("redirect_uri", client.redirect_uris[0])
    if client.livemode and not redirect_uri.startswith("https:"):
        raise oauth_errors.insecure_redirect()
    if redirect_uri not in client.redirect_uris:
        raise oauth_errors.invalid_redirect(redirect_uri)
    if "response_type" not in given:
        raise OAuthError("invalid_request", "No response_type specified", state=state)
    if given["response_type"] != "code":
        wanted = given["response_type"]
        raise OAuthError(
            "unsupported_response_type", f"Unsupported response_type: {wanted}", state=state
        )
    scope = given.get("scope", "read_only")
    if scope not in {"read_only", "read_write"}:
        raise OAuthError("invalid_scope", f"Invalid scope: {scope}", state=state)
    if scope == "read_only" and not client.extension:
        raise OAuthError(
            "invalid_scope", "Platforms must use the read_write scope, not read_only", state=state
        )
    return Request(client, redirect_uri, scope, state)


def _back(request: Request, **answer: str) -> Response:
    if request.state is not None:
        answer["state"] = request.state
    parts = urlsplit(request.redirect_uri)
    added = urlencode(answer, quote_via=quote)
    query = f"{parts.query}&{added}" if parts.query else added
    return Response(303, b"", headers={"location": urlunsplit(parts._replace(query=query))})
