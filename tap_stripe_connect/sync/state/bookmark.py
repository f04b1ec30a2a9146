"""One bookmark: what of one stream of one account has been written, and its form in a state."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.sync.state.ranges import Range, clipped, merged, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

RECENT_KEPT = 70
"""Digests kept for each stream and account, so that a bookmark stays under 2 KB."""


class StateError(Exception):
    """The state cannot be used; the message names the key and what to do."""


@dataclass(frozen=True)
class Bookmark:
    """How far one stream of one account has been written."""

    covered: tuple[Range, ...] = ()
    """Creation times of which everything has been written."""
    events_until: int = 0
    """What the event feed told up to this moment has been written too; 0 before a first load."""
    recent: frozenset[str] = frozenset()
    """Digests of objects written whose newest change is not claimed yet."""
    written_from: int | None = None
    """Creation time from which on rows may have been written that `covered` does not claim."""
    list_from: int | None = None
    """Creation time from which on everything has to be listed anew: the feed has a hole."""
    read_at: int = 0
    """Newest `updated_at` of rows that carry the time of their reading; 0 once that is past."""
    checked_at: int = 0
    """Up to when the list was last held against the event feed, in unix seconds."""
    fingerprints: str = ""
    """What was seen then, a fingerprint a day; of the event feed itself, one an hour."""

    @property
    def oldest(self) -> int | None:
        """The oldest creation time of which rows may have been written; None for none at all."""
        known = [span[0] for span in self.covered[:1]]
        if self.written_from is not None:
            known.append(self.written_from)
        return min(known, default=None)

    @property
    def has_unclaimed_rows(self) -> bool:
        """Whether rows may have been written that `covered` does not claim."""
        oldest = self.oldest
        return oldest is not None and bool(missing(self.covered, (oldest, self.events_until)))

    def covering(self, start: int, end: int) -> Bookmark:
        """Return this bookmark with one more range written."""
        return replace(self, covered=tuple(merged([*self.covered, (start, end)]))).tidy()

    def up_to(self, limit: int) -> Bookmark:
        """Return this bookmark without any claim beyond `limit`."""
        return replace(
            self,
            covered=tuple(clipped(self.covered, limit)),
            events_until=min(self.events_until, limit),
            written_from=self.oldest,
        ).tidy()

    def tidy(self) -> Bookmark:
        """Return this bookmark without what `covered` says as well."""
        first = self.covered[0][0] if self.covered else None
        if self.written_from is None or first is None or self.written_from < first:
            return self
        return replace(self, written_from=None)


EMPTY = Bookmark()

FINGERPRINTS = r"(?:[A-Za-z0-9+/]{4})*"
"""Three bytes as four characters each."""

TIME_FIELDS = ("events_until", "written_from", "list_from", "read_at", "checked_at")
"""Fields that a state shows as date-times, where they are set."""


def last_covered(bookmark: Bookmark) -> int:
    """Return the newest moment that the bookmark claims, in unix seconds; 0 for none."""
    return max((end for _, end in bookmark.covered), default=0)


def recent_digests(digests: Mapping[str, str]) -> frozenset[str]:
    """Return what is worth keeping of digests by object: all, or none of too many."""
    if len(digests) > RECENT_KEPT:
        return frozenset()
    return frozenset(f"{name}:{digest}" for name, digest in digests.items())


def recent_by_object(bookmark: Bookmark) -> dict[str, str]:
    """Return the digests that `recent_digests` kept."""
    pairs = (item.partition(":") for item in bookmark.recent)
    return {name: digest for name, _, digest in pairs}


def read_bookmark(entry: Mapping[str, Any], path: str) -> Bookmark:
    """Read an entry of a state; raises StateError naming the key below `path` that is wrong."""
    ranges = entry.get("covered", [])
    if not isinstance(ranges, list):
        raise invalid_value(f"{path}.covered", ranges, "a list of [from, to] pairs")
    covered = [_read_range(span, f"{path}.covered[{place}]") for place, span in enumerate(ranges)]
    recent = entry.get("recent", [])
    if not isinstance(recent, list) or not all(isinstance(item, str) for item in recent):
        raise invalid_value(f"{path}.recent", recent, "a list of digests")
    moments = {
        name: parse_time(entry[name], f"{path}.{name}")
        for name in TIME_FIELDS
        if entry.get(name) is not None
    }
    fingerprints = entry.get("fingerprints", "")
    if not isinstance(fingerprints, str) or not re.fullmatch(FINGERPRINTS, fingerprints):
        raise invalid_value(f"{path}.fingerprints", fingerprints, "fingerprints")
    return Bookmark(
        tuple(merged(covered)), recent=frozenset(recent), fingerprints=fingerprints, **moments
    ).tidy()


def bookmark_json(bookmark: Bookmark) -> dict[str, Any]:
    """Return the entry of a state that `read_bookmark` reads."""
    entry: dict[str, Any] = {
        "covered": [[format_time(edge) for edge in one] for one in bookmark.covered]
    }
    for name in TIME_FIELDS:
        moment = getattr(bookmark, name)
        if moment != getattr(EMPTY, name):
            entry[name] = format_time(moment)
    if bookmark.fingerprints:
        entry["fingerprints"] = bookmark.fingerprints
    if bookmark.recent:
        entry["recent"] = sorted(bookmark.recent)
    return entry


def _read_range(span: object, path: str) -> Range:
    if not isinstance(span, list) or len(span) != 2:  # noqa: PLR2004 - from, to
        raise invalid_value(path, span, "a pair of date-times")
    return parse_time(span[0], path), parse_time(span[1], path)


def parse_time(text: object, path: str) -> int:
    """Return unix seconds; raises StateError naming `path` where no date-time stands."""
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # What UTC cannot express could not be written again.
        return int(moment.astimezone(UTC).timestamp())
    raise invalid_value(path, text, "a date-time")


def format_time(moment: int) -> str:
    """Return unix seconds as a state shows them."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def invalid_value(path: str, value: object, wanted: str) -> StateError:
    """Return the error that says what is wrong at `path`, and what to do."""
    shown = repr(value)
    if len(shown) > 40:  # noqa: PLR2004 - enough to recognise it
        shown = f"{shown[:40]}…"
    return StateError(
        f"state: {path} is {shown}, not {wanted}; "
        "repair it, or start again without state to load everything anew"
    )


def as_object(value: object, path: str) -> Mapping[str, Any]:
    """Return a JSON object; raises StateError naming `path` where something else stands."""
    if not isinstance(value, dict):
        raise invalid_value(path, value, "an object")
    return value
