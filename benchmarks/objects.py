"""Templates of complete objects of realistic size; rows differ in ids and times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BYTES = {"charge": 3_700, "customer": 1_400, "invoice": 14_800, "line": 1_400}
"""Sizes as in accounts of real businesses; metadata pads the samples."""
LINES = 8
"""Default number of line items per invoice."""
EMBEDDED = 10
"""Line items embedded in an invoice, as at Stripe; the others have their own list."""

_CREATED = 1_111_111_111
_PERIOD = 30 * 86_400
_NOW = 1_222_222_222
_NOTE = 40
"""Characters of a value in the metadata."""


@dataclass(frozen=True)
class Templates:
    """JSON with `%(n)…` for an object's number, and `%(at)d` for its creation."""

    objects: Mapping[str, bytes]
    """By Stripe's name. An event is about a charge: `%(m)…` is the charge's number, `%(born)d` its
    creation."""
    lines: Sequence[bytes]
    """All line items of an invoice, of which the first are embedded; `%(n)…` is the invoice's."""


def templates(lines: int = LINES, weights: Mapping[str, int] = BYTES) -> Templates:
    """Return templates of objects with these sizes, and of invoices with `lines` line items."""
    world = World(now=_NOW, livemode=True)
    account = world.platform
    bulk.load(
        account, charges=1, customers=1, invoices=1, lines=lines, start=_CREATED, until=_CREATED + 1
    )
    found = {kind: next(account.objects(kind)) for kind in ("charge", "customer", "invoice")}
    listed = found["invoice"]["lines"]
    for line in listed["data"]:
        _fill(line, weights.get("line", BYTES["line"]))
    items = listed["data"]
    listed |= {"data": items[:EMBEDDED], "has_more": lines > EMBEDDED}
    for kind, document in found.items():
        _fill(document, weights.get(kind, BYTES[kind]))
    digits = len(str(lines - 1))
    made = {kind: _template(document, digits) for kind, document in found.items()}
    account.update("charge", found["charge"]["id"], {"description": "Order"})
    made["event"] = _event(next(account.objects("event")), made["charge"])
    return Templates(made, [_template(item, digits) for item in items])


def _fill(document: dict[str, Any], size: int) -> None:
    """Add metadata until the object's JSON takes `size` bytes."""
    number = 0
    while (lacking := size - len(msgspec.json.encode(document)) - len(',"note_00":""')) > 0:
        document["metadata"] = document["metadata"] | {
            f"note_{number:02}": "n" * min(lacking, _NOTE)
        }
        number += 1


def _template(document: object, digits: int) -> bytes:
    """Return a template of a document; the ids of its lines end in `digits` digits."""
    text = msgspec.json.encode(document).replace(b"%", b"%%")
    ids = rb"il_Bulk%%(n)0%dd\1" % (20 - digits)
    text = re.sub(rb"il_Bulk0{%d}(\d{%d})" % (20 - digits, digits), ids, text)
    text = re.sub(rb"_Bulk0{20}", rb"_Bulk%(n)020d", text)
    text = text.replace(b"%d" % (_CREATED + _PERIOD), b"%(end)d")
    return text.replace(b"%d" % _CREATED, b"%(at)d")


def _event(document: dict[str, Any], charge: bytes) -> bytes:
    document["id"] = "evt_Bulk" + "0" * 20
    document["data"] = {"object": "charge", "previous_attributes": {"description": None}}
    text = msgspec.json.encode(document).replace(b"%d" % _NOW, b"%(at)d")
    text = re.sub(rb"evt_Bulk0{20}", rb"evt_Bulk%(n)020d", text)
    about = charge.replace(b"%(n)", b"%(m)").replace(b"%(at)", b"%(born)")
    return text.replace(b'"object":"charge"', b'"object":' + about)


def renderer(template: bytes) -> Callable[[int, int], bytes]:
    """Return a function that renders an object from its number and creation time."""

    def render(number: int, created: int) -> bytes:
        return template % {b"n": number, b"at": created, b"end": created + _PERIOD}

    return render


def event_renderer(
    template: bytes, charges: int, created_of: Callable[[int], int]
) -> Callable[[int, int], bytes]:
    """Return a function that renders an event; events rotate through the charges."""

    def render(number: int, created: int) -> bytes:
        about = number % charges
        return template % {b"n": number, b"at": created, b"m": about, b"born": created_of(about)}

    return render
