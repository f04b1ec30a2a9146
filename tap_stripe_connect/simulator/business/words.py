"""Plain words that names and addresses are made up of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


def _words(text: str) -> list[str]:
    return text.split()


_FIRST = _words(
    "Amber Autumn Basil Bright Brook Calm Cedar Clear Clover Copper Coral Crimson Dawn Early "
    "Fern Gentle Golden Green Hazel Heather Indigo Iris Ivory Ivy Jade Jasper Juniper Laurel "
    "Lilac Linen Maple Marble Meadow Misty Olive Onyx Opal Pearl Plum Poppy Quiet Rosy Rowan "
    "Ruby Rusty Sage Scarlet Silver Sunny Tawny Velvet Violet Willow Winter"
)
_LAST = _words(
    "Anchor Apple Arrow Badger Barley Basket Bay Beacon Berry Birch Bridge Cabin Canyon Castle "
    "Cherry Cliff Cloud Creek Dune Falcon Feather Field Forest Fountain Garden Glacier Grove "
    "Harbor Hill Island Lake Lantern Meadow Mill Moon Mountain Oak Ocean Orchard Otter Path "
    "Pebble Pine Pond Prairie Rain River Robin Shore Sky Sparrow Spring Star Stone Storm Summit "
    "Thistle Valley Wave Wind Wren"
)
_TRADE = _words(
    "Bakery Bicycles Books Brewing Carpentry Catering Clinic Coffee Consulting Design Dental "
    "Dance Flowers Fitness Foods Furniture Gardens Kitchens Lighting Logistics Music Optics "
    "Paper Photo Pottery Printing Repairs School Studio Tailors Tea Theatre Tools Travel Yoga"
)
_STREET = _words("Garden Harbor High Hill Lake Market Mill Orchard Park River School Station")

_BUSINESS_SHARE = 0.6


def customer_name(rng: Random) -> str:
    """Return the name of a made-up person or, more often, business."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    trade = rng.choice(_TRADE)
    return f"{first} {last} {trade}" if rng.random() < _BUSINESS_SHARE else f"{first} {last}"


def email(name: str, number: int) -> str:
    """Return an address that can't be anyone's, unique by `number`."""
    return f"{name.lower().replace(' ', '.')}.{number}@example.com"


def street(rng: Random) -> str:
    """Return a made-up street and house number."""
    return f"{rng.randrange(1, 240)} {rng.choice(_STREET)} Street"
