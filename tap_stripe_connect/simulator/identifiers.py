"""Deterministic ids that look like Stripe's."""

from __future__ import annotations

from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "access_token": "",
        "account": "acct_1",
        "authorization_code": "ac_",
        "charge": "ch_",
        "coupon": "",
        "credit_note": "cn_",
        "customer": "cus_",
        "dispute": "dp_",
        "event": "evt_",
        "invoice": "in_",
        "payout": "po_",
        "plan": "plan_",
        "price": "price_",
        "product": "prod_",
        "promotion_code": "promo_",
        "publishable_key": "",
        "refresh_token": "rt_",
        "refund": "re_",
        "request": "req_",
        "subscription": "sub_",
        "subscription_schedule": "sub_sched_",
        "tax_rate": "txr_",
        "transfer": "tr_",
    }
)
LENGTHS: Mapping[str, int] = MappingProxyType(
    {
        "account": 15,
        "authorization_code": 32,
        "coupon": 8,
        "customer": 14,
        "plan": 14,
        "request": 14,
    }
)
USUAL_LENGTH = 24


def identifier(object_: str, *seed: str | int) -> str:
    """Return an id that is unique for `seed` among objects of its kind."""
    digest = blake2b("/".join(map(str, (object_, *seed))).encode(), digest_size=24).digest()
    number = int.from_bytes(digest)
    text = ""
    for _ in range(LENGTHS.get(object_, USUAL_LENGTH)):
        number, remainder = divmod(number, len(ALPHABET))
        text += ALPHABET[remainder]
    prefix = PREFIXES.get(object_)
    return (f"{object_.replace('.', '_')}_" if prefix is None else prefix) + text
