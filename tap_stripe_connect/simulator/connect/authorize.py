"""Sign-in and consent: from a platform's link back to the platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from tap_stripe_connect.simulator.answers import Reply
from tap_stripe_connect.simulator.connect import denial, pages
from tap_stripe_connect.simulator.connect.denial import Denial
from tap_stripe_connect.simulator.identifiers import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.answers import Call
    from tap_stripe_connect.simulator.connect.registry import Client
    from tap_stripe_connect.simulator.world import World

CHOICES = 8
"""How many accounts the sign-in page offers; any other is typed in."""


@dataclass(frozen=True)
class Request:
    """What a valid link asks for."""

    client: Client
    redirect_uri: str
    scope: str
    state: str | None


def start(world: World, call: Call) -> Reply:
    """Show the sign-in page."""
    request = _request(world, dict(call.pairs))
    return pages.sign_in(request.client, world.signups(CHOICES))


def proceed(world: World, call: Call) -> Reply:
    """Go on from sign-in to consent, and from consent back to the platform."""
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
    """Tell whether Stripe makes a new account because another platform controls this one."""
    return request.scope == "read_write" and account.controlled_by not in {
        None,
        request.client.account,
    }


def _request(world: World, given: Mapping[str, str]) -> Request:
    state = given.get("state")
    if "client_id" not in given:
        raise Denial("invalid_request", "No client_id specified", state=state)
    client = world.connect.client(given["client_id"])
    if client is None:
        raise denial.unknown_application()
    if not client.enabled:
        raise denial.oauth_disabled()
    redirect_uri = given.get("redirect_uri", client.redirect_uris[0])
    if client.livemode and not redirect_uri.startswith("https:"):
        raise denial.insecure_redirect()
    if redirect_uri not in client.redirect_uris:
        raise denial.invalid_redirect(redirect_uri)
    if "response_type" not in given:
        raise Denial("invalid_request", "No response_type specified", state=state)
    if given["response_type"] != "code":
        wanted = given["response_type"]
        raise Denial(
            "unsupported_response_type", f"Unsupported response_type: {wanted}", state=state
        )
    scope = given.get("scope", "read_only")
    if scope not in {"read_only", "read_write"}:
        raise Denial("invalid_scope", f"Invalid scope: {scope}", state=state)
    if scope == "read_only" and not client.extension:
        raise Denial(
            "invalid_scope", "Platforms must use the read_write scope, not read_only", state=state
        )
    return Request(client, redirect_uri, scope, state)


def _back(request: Request, **answer: str) -> Reply:
    if request.state is not None:
        answer["state"] = request.state
    parts = urlsplit(request.redirect_uri)
    added = urlencode(answer, quote_via=quote)
    query = f"{parts.query}&{added}" if parts.query else added
    return Reply(303, b"", headers={"location": urlunsplit(parts._replace(query=query))})
