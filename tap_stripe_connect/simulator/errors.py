"""Stripe's error responses: statuses, codes and messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

SUPPORT = "we can help at https://support.stripe.com/."
SHOWN = 4
"""Number of characters of a key that Stripe shows."""


@dataclass(eq=False)
class ApiError(Exception):
    """An error response of Stripe."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    type: str | None = "invalid_request_error"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The JSON body."""
        error: dict[str, str] = {"message": self.message}
        if self.type is not None:
            error["type"] = self.type
        if self.param is not None:
            error["param"] = self.param
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        return msgspec.json.encode({"error": error})


def masked(secret: str) -> str:
    """Return a key as in Stripe's messages: its prefix and last four characters."""
    prefix = "".join(part + "_" for part in secret.split("_")[:2]) if "_" in secret else ""
    rest = secret[len(prefix) :]
    return prefix + "****" + (rest[-SHOWN:] if len(rest) > SHOWN else "")


def no_key() -> ApiError:
    """Return the error for a request without a key."""
    return ApiError(
        401,
        "You did not provide an API key. You need to provide your API key in the Authorization "
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
        f"https://stripe.com/docs/api#authentication for details, or {SUPPORT}",
    )


def wrong_key(secret: str) -> ApiError:
    """Return the error for a key that does not exist."""
    return ApiError(401, f"Invalid API Key provided: {masked(secret)}")


def publishable_key() -> ApiError:
    """Return the error for a key that is meant for browsers."""
    return ApiError(
        401,
        "This API call cannot be made with a publishable API key. Please use a secret API key. "
        "You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
        code="secret_key_required",
    )


def not_permitted(secret: str, account: str, permission: str) -> ApiError:
    """Return the error for a restricted key that lacks a permission."""
    return ApiError(
        403,
        f"The provided key '{masked(secret)}' does not have the required permissions for this "
        f"endpoint on account '{account}'. Having the '{permission}' permission would allow this "
        "request to continue.",
    )


def no_access(secret: str, account: str) -> ApiError:
    """Return the error for an account that is not connected, or no longer."""
    return ApiError(
        403,
        f"The provided key '{masked(secret)}' does not have access to account '{account}' (or that "
        "account does not exist). Application access may have been revoked.",
        code="account_invalid",
    )


def not_a_platform() -> ApiError:
    """Return the error for an account that acts on others without being a platform."""
    return ApiError(
        403,
        "Only Stripe Connect platforms can work with other accounts. If you specified a client_id "
        "parameter, make sure it's correct. If you need to setup a Stripe Connect platform, you "
        "can do so at https://dashboard.stripe.com/account/applications/settings.",
        code="platform_account_required",
    )


def two_accounts() -> ApiError:
    """Return the error for a request that names its account twice."""
    return ApiError(
        400,
        "Received both Stripe-Account and Stripe-Context headers. Please pass in only one.",
    )


def organization_header(name: str, purpose: str) -> ApiError:
    """Return the error for an organization's key without a header it needs."""
    return ApiError(
        400,
        f"Please include the {name} header with your {purpose} when using an Organization API key.",
    )


def secret_key_only(secret: str, account: str) -> ApiError:
    """Return the error for a key that is not the full secret key of one account."""
    return ApiError(
        403,
        f"The provided key '{masked(secret)}' does not have the required permissions for this "
        f"endpoint on account '{account}'.",
    )


def unrecognized(method: str, path: str) -> ApiError:
    """Return the error for a path that does not exist."""
    return ApiError(
        404,
        f"Unrecognized request URL ({method}: {path}). "
        f"Please see https://stripe.com/docs or {SUPPORT}",
    )


def missing(object_: str, id_: str, param: str = "id") -> ApiError:
    """Return the error for an id that does not exist: 404 in a path, 400 in a parameter."""
    status = 404 if param == "id" else 400
    return ApiError(status, f"No such {object_}: '{id_}'", code="resource_missing", param=param)


def aged_out(id_: str, param: str) -> ApiError:
    """Return the error for a cursor that is an event older than the retention."""
    return ApiError(
        400,
        f"The event '{id_}' has aged out of our retention policy",
        param=param,
    )


def invalid_version(version: str) -> ApiError:
    """Return the error for an API version that does not exist."""
    return ApiError(
        400, f"Invalid Stripe API version: {version}. You can find the valid ones in our changelog."
    )


def unknown_parameter(name: str) -> ApiError:
    """Return the error for a parameter that the endpoint does not have."""
    return ApiError(
        400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name
    )


def missing_parameter(name: str) -> ApiError:
    """Return the error for a request that lacks a required parameter."""
    return ApiError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)


def empty_parameter(name: str) -> ApiError:
    """Return the error for an empty parameter."""
    return ApiError(
        400,
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{name}' cannot be unset. You should remove '{name}' from your "
        "request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=name,
    )


def invalid_integer(name: str, text: str) -> ApiError:
    """Return the error for a value that is not an integer."""
    return ApiError(400, f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)


def rate_limited(reason: str) -> ApiError:
    """Return the error for a request over the rate limit `reason`."""
    return ApiError(
        429,
        "Request rate limit exceeded. Learn more about rate limits here: "
        "https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def server_error(status: int = 500) -> ApiError:
    """Return an internal error of Stripe."""
    return ApiError(
        status,
        f"An unknown error occurred. If the problem persists, {SUPPORT}",
        type="api_error",
    )
