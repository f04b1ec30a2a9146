"""What Connect says when it does not agree: OAuth's errors, and texts without a code."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tap_stripe_connect.simulator.answers import Reply
from tap_stripe_connect.simulator.refusal import Refusal

UNKNOWN_APPLICATION = "No application matches the supplied client identifier"


@dataclass(eq=False)
class Denial(Exception):  # noqa: N818 - not an error of the program: Stripe's answer
    """An error in OAuth's shape: `error` is a word, and `error_description` the text."""

    error: str
    description: str
    status: int = 400
    state: str | None = None
    """The caller's, given back."""

    @property
    def reply(self) -> Reply:
        """The answer that Stripe sends."""
        content = {"error": self.error, "error_description": self.description}
        if self.state is not None:
            content["state"] = self.state
        return Reply(self.status, msgspec.json.encode(content))


def unknown_application() -> Refusal:
    """Refuse to authorize a client id that does not exist."""
    return _shown(UNKNOWN_APPLICATION)


def oauth_disabled() -> Refusal:
    """Refuse to authorize a platform that has not switched OAuth on."""
    return _shown(
        "Standard OAuth is disabled for this Stripe Connect integration. If you own this "
        "integration, you can enable the Standard OAuth flow in the Connect Settings page in your "
        "dashboard."
    )


def insecure_redirect() -> Refusal:
    """Refuse to come back over plain HTTP with real money at stake."""
    return _shown("Livemode requests must always be redirected via HTTPS.")


def invalid_redirect(uri: str) -> Refusal:
    """Refuse an address that the platform has not registered."""
    return _shown(
        f"Invalid request: Invalid redirect URI: '{uri}'. Ensure this uri exactly matches one of "
        "the uris specified in your application settings"
    )


def unknown_code(code: str) -> Denial:
    """Deny a code that was never issued."""
    return Denial("invalid_grant", f"Authorization code does not exist: {code}")


def foreign_code() -> Denial:
    """Deny a code of another platform's or mode's client id."""
    return Denial("invalid_grant", "Authorization code provided does not belong to you")


def used_code() -> Denial:
    """Deny a code that was exchanged before."""
    return Denial(
        "invalid_grant",
        "This authorization code has already been used. All tokens issued with this code have been "
        "revoked.",
    )


def expired_code(code: str) -> Denial:
    """Deny a code that has outlived its minutes."""
    return Denial("invalid_grant", f"Authorization code expired: {code}")


def unknown_client() -> Denial:
    """Deny a client id that is not the key's: unknown, another platform's, or of another mode."""
    return Denial("invalid_client", UNKNOWN_APPLICATION, 401)


def not_connected(account: str) -> Denial:
    """Deny to disconnect what is not connected."""
    return Denial(
        "invalid_client",
        f"This application is not connected to stripe account {account}, or that account does not "
        "exist.",
        401,
    )


def controlled(account: str) -> Denial:
    """Deny to disconnect an account that the platform controls."""
    return Denial(
        "no_deauth_on_controlled_account",
        f"The account {account} can't be disconnected because your platform controls it. Use the "
        "rejection API instead.",
    )


def _shown(message: str) -> Refusal:
    return Refusal(400, message, type=None)
