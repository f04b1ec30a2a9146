"""Errors of Connect: OAuth errors, and messages on pages."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tap_stripe_connect.simulator.calls import Response
from tap_stripe_connect.simulator.errors import ApiError

UNKNOWN_APPLICATION = "No application matches the supplied client identifier"


@dataclass(eq=False)
class OAuthError(Exception):
    """An OAuth error with a code and a description."""

    error: str
    description: str
    status: int = 400
    state: str | None = None
    """The `state` of the request."""

    @property
    def response(self) -> Response:
        """Stripe's response."""
        content = {"error": self.error, "error_description": self.description}
        if self.state is not None:
            content["state"] = self.state
        return Response(self.status, msgspec.json.encode(content))


def unknown_application() -> ApiError:
    """Return the error for a client id that does not exist."""
    return _page_error(UNKNOWN_APPLICATION)


def oauth_disabled() -> ApiError:
    """Return the error for a platform without OAuth."""
    return _page_error(
        "Standard OAuth is disabled for this Stripe Connect integration. If you own this "
        "integration, you can enable the Standard OAuth flow in the Connect Settings page in your "
        "dashboard."
    )


def insecure_redirect() -> ApiError:
    """Return the error for a redirect over plain HTTP in live mode."""
    return _page_error("Livemode requests must always be redirected via HTTPS.")


def invalid_redirect(uri: str) -> ApiError:
    """Return the error for an address that the platform has not registered."""
    return _page_error(
        f"Invalid request: Invalid redirect URI: '{uri}'. Ensure this uri exactly matches one of "
        "the uris specified in your application settings"
    )


def unknown_code(code: str) -> OAuthError:
    """Return the error for a code that was never issued."""
    return OAuthError("invalid_grant", f"Authorization code does not exist: {code}")


def foreign_code() -> OAuthError:
    """Return the error for a code of another platform's or mode's client id."""
    return OAuthError("invalid_grant", "Authorization code provided does not belong to you")


def used_code() -> OAuthError:
    """Return the error for a code that was exchanged before."""
    return OAuthError(
        "invalid_grant",
        "This authorization code has already been used. All tokens issued with this code have been "
        "revoked.",
    )


def expired_code(code: str) -> OAuthError:
    """Return the error for an expired code."""
    return OAuthError("invalid_grant", f"Authorization code expired: {code}")


def unknown_client() -> OAuthError:
    """Return the error for a client id that is unknown, or not of the key's platform and mode."""
    return OAuthError("invalid_client", UNKNOWN_APPLICATION, 401)


def not_connected(account: str) -> OAuthError:
    """Return the error for disconnecting an account that is not connected."""
    return OAuthError(
        "invalid_client",
        f"This application is not connected to stripe account {account}, or that account does not "
        "exist.",
        401,
    )


def controlled(account: str) -> OAuthError:
    """Return the error for disconnecting an account that the platform controls."""
    return OAuthError(
        "no_deauth_on_controlled_account",
        f"The account {account} can't be disconnected because your platform controls it. Use the "
        "rejection API instead.",
    )


def _page_error(message: str) -> ApiError:
    return ApiError(400, message, type=None)
