"""What an API key says about itself."""

from __future__ import annotations


def is_live(key: str) -> bool:
    """Return whether a key works on live data.

    Every test key has `_test_` in it, except perhaps an organization's: Stripe documents no mode
    in those.
    """
    return "_test_" not in key


def is_organization_key(key: str) -> bool:
    """Return whether a key is an organization's, which has no account of its own.

    See https://docs.stripe.com/keys/organization-api-keys.
    """
    return key.startswith("sk_org")
