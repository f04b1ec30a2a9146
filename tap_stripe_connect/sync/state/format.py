"""The state format: the bookmarks of all streams and accounts.

```json
{"bookmarks": {"charges": {"covered": [["1970-01-01T00:00:00+00:00", "2026-01-31T12:00:00+00:00"]],
                           "events_until": "2026-01-31T12:00:00+00:00",
                           "level_accounts": 2,
                           "accounts": {"acct_2Example": {"covered": []}}}},
 "tap_stripe_connect": {"version": 1, "livemode": true,
                        "accounts": ["acct_1Example", "acct_2Example"]}}
```

The most common bookmark of a stream is written once. It applies to the first `level_accounts` of
the listed accounts, except for those in the stream's `accounts`. There, `first:last` stands for
consecutive accounts of the list. The list only grows, so the entry of a stream that is not selected
stays valid while new accounts are connected.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from tap_stripe_connect.sync.state.bookmark import (
    EMPTY,
    Bookmark,
    as_object,
    bookmark_json,
    format_time,
    invalid_value,
    parse_time,
    read_bookmark,
)
from tap_stripe_connect.sync.state.input import check_bookmarks, unwrapped
from tap_stripe_connect.sync.state.migrations import HEADER, VERSION, migrated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EVENT_FEED = "event_feed"
"""Key in the header of the event feeds' bookmarks, in the form of a stream's."""
READ_AT = "read_at"
"""Key in the header of the newest `updated_at` that an interrupted run may have written."""
MAX_SHARED = 1000
"""Most bookmarks that are kept to share equal ones."""
MIN_RUN_LENGTH = 3
"""Fewest consecutive accounts with the same bookmark that are written as `first:last`."""


class Bookmarks:
    """All bookmarks, read from and written to a Singer state."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        """Read a state in any of its forms; raises StateError with the path of an invalid key."""
        state = migrated(unwrapped({} if state is None else state))
        streams = as_object(state.get("bookmarks", {}), "bookmarks")
        header = as_object(state.get(HEADER, {}), HEADER)
        self._others = {key: value for key, value in state.items() if key != "bookmarks"}
        check_bookmarks(state)
        self.livemode: bool | None = header.get("livemode")
        if not isinstance(self.livemode, bool | None):
            raise invalid_value(f"{HEADER}.livemode", self.livemode, "true or false")
        self.accounts: list[str] = _account_list(header.get("accounts", []))
        if EVENT_FEED in header:
            streams = {**streams, EVENT_FEED: header[EVENT_FEED]}
        self._places = _first_places(self.accounts)
        self._written: dict[str, Any] = dict(streams)
        self._bookmarks: dict[str, dict[str, Bookmark]] = {}
        self._changed: set[str] = set()
        self._shared: dict[Bookmark, Bookmark] = {}
        """One instance of equal bookmarks: those of thousands of accounts are usually the same."""
        self.untrusted: list[str] = []
        """Streams whose bookmark is another tap's, or does not match the list of accounts."""
        for name, value in streams.items():
            entry = as_object(value, f"bookmarks.{name}")
            if "covered" in entry:
                self._bookmarks[name] = self._read_stream(name, entry)
            elif entry:
                self.untrusted.append(name)
        self.read_at = 0
        """Newest `updated_at` that this run may write without an event, in unix seconds."""
        if READ_AT in header:
            self._raise_read_at(parse_time(header[READ_AT], f"{HEADER}.{READ_AT}"))
        # Only listed accounts are written, but an edited state may name others.
        named = set(chain.from_iterable(self._bookmarks.values()))
        self.accounts += sorted(named.difference(self.accounts))
        self._listed = set(self.accounts)

    def _raise_read_at(self, moment: int) -> None:
        """Raise all bookmarks, because an interrupted run may have written that time in any row."""
        for stream, bookmarks in self._bookmarks.items():
            if stream != EVENT_FEED:
                self._changed.add(stream)
                for account, known in bookmarks.items():
                    bookmarks[account] = replace(known, read_at=max(known.read_at, moment))

    def _read_stream(self, name: str, entry: Mapping[str, Any]) -> dict[str, Bookmark]:
        path = f"bookmarks.{name}"
        level = entry.get("level_accounts", 0)
        if type(level) is not int or level < 0:
            raise invalid_value(f"{path}.level_accounts", level, "a number of listed accounts")
        order = entry.get("order")
        if level > len(self.accounts) or (order is not None and order != self._order(order)):
            # A program that merges bookmarks stream by stream can combine them with another list
            # of accounts. Then only the accounts that are named one by one are certain.
            self.untrusted.append(name)
            self._changed.add(name)
            if order is not None and order != self._order(order):
                level = 0
                entry = {
                    **entry,
                    "accounts": {
                        key: value
                        for key, value in as_object(
                            entry.get("accounts", {}), f"{path}.accounts"
                        ).items()
                        if ":" not in key
                    },
                }
        result = dict.fromkeys(self.accounts[:level], read_bookmark(entry, path))
        accounts = as_object(entry.get("accounts", {}), f"{path}.accounts")
        for names, value in accounts.items():
            where = f"{path}.accounts.{names}"
            bookmark = read_bookmark(as_object(value, where), where)
            result |= dict.fromkeys(self._named(names, name), bookmark)
        return result

    def _order(self, like: object) -> str:
        """Return the count and digest of the first listed accounts, as many as in `like`."""
        count = str(like).partition(":")[0]
        first = self.accounts[: int(count)] if count.isdecimal() else []
        return f"{len(first)}:{blake2b(' '.join(first).encode(), digest_size=8).hexdigest()}"

    def _named(self, names: str, stream: str) -> list[str]:
        """Return the accounts that a key in a stream's `accounts` stands for."""
        first, separator, last = names.partition(":")
        if not separator:
            return [names]
        if first in self._places and last in self._places:
            return self.accounts[self._places[first] : self._places[last] + 1]
        self.untrusted.append(stream)
        self._changed.add(stream)
        return []

    def get(self, stream: str, account: str) -> Bookmark:
        """Return the bookmark of a stream and account; an empty one if there is none."""
        return self._bookmarks.get(stream, {}).get(account, EMPTY)

    def set(self, stream: str, account: str, bookmark: Bookmark) -> Bookmark:
        """Replace the bookmark of a stream and account; return the shared instance."""
        if len(self._shared) > MAX_SHARED:
            self._shared.clear()
        bookmark = self._shared.setdefault(bookmark, bookmark)
        if account not in self._listed:
            self._listed.add(account)
            self.accounts.append(account)
        self._bookmarks.setdefault(stream, {})[account] = bookmark
        self._changed.add(stream)
        return bookmark

    def remove(self, stream: str, account: str) -> None:
        """Remove the bookmark of a stream and account, if there is one."""
        self._bookmarks.get(stream, {}).pop(account, None)
        self._changed.add(stream)

    def forget(self, stream: str) -> None:
        """Remove all bookmarks of a stream, so that it is loaded from the beginning."""
        self._bookmarks[stream] = {}
        self._changed.add(stream)

    def state(self) -> dict[str, Any]:
        """Return the whole state; unchanged streams keep their original entries."""
        for stream in self._changed:
            if bookmarks := self._bookmarks.get(stream):
                self._written[stream] = self._write_stream(bookmarks)
            else:
                self._written.pop(stream, None)
        self._changed.clear()
        bookmarks = dict(self._written)
        feed = {EVENT_FEED: bookmarks.pop(EVENT_FEED)} if EVENT_FEED in bookmarks else {}
        header = {
            "version": VERSION,
            "livemode": self.livemode,
            "accounts": list(self.accounts),
            **({READ_AT: format_time(self.read_at)} if self.read_at else {}),
            **feed,
        }
        return {"bookmarks": bookmarks, **self._others, HEADER: header}

    def _write_stream(self, bookmarks: Mapping[str, Bookmark]) -> dict[str, Any]:
        shared = Counter(bookmarks.values()).most_common(1)[0][0]
        values = [bookmarks.get(account, EMPTY) for account in self.accounts]
        level = max((place for place, value in enumerate(values, 1) if value == shared), default=0)
        entry = {**bookmark_json(shared), "level_accounts": level}
        exceptions: dict[str, Any] = {}
        place = 0
        for value, run in groupby(values):
            first, last = place, place + len(list(run)) - 1
            place = last + 1
            if value != (shared if first < level else EMPTY):
                exceptions |= dict.fromkeys(self._names(first, last), bookmark_json(value))
        if exceptions:
            entry["accounts"] = exceptions
        reach = max((place for place, value in enumerate(values, 1) if value != EMPTY), default=0)
        entry["order"] = self._order(f"{max(reach, level)}:")
        return entry

    def _names(self, first: int, last: int) -> list[str]:
        """Return the keys that stand for consecutive listed accounts."""
        if last - first < MIN_RUN_LENGTH:
            return self.accounts[first : last + 1]
        return [f"{self.accounts[first]}:{self.accounts[last]}"]


def _account_list(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid_value(f"{HEADER}.accounts", value, "a list of account ids")
    return list(value)


def _first_places(accounts: Iterable[str]) -> dict[str, int]:
    """Return the index of each account, the first one of an account that is listed twice."""
    places: dict[str, int] = {}
    for place, account in enumerate(accounts):
        places.setdefault(account, place)
    return places
