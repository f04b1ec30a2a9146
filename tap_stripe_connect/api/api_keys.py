"""What an API key tells of itself."""

from __future__ import annotations


def is_live(key: str) -> bool:
    """Tell whether a key is for real money.

    Test keys always say what they are; Stripe documents no mode in those of organisations.
    """
    return "_test_" not in key


def is_organisations(key: str) -> bool:
    """Tell whether a key is an organisation's, which has no account of its own.

    See https://docs.stripe.com/keys/organization-api-keys.
    """
    return key.startswith("sk_org")
