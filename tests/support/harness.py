"""Running the tap the way users do, and reading what it wrote."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tap_stripe_connect.catalog import LISTED, NESTED, STREAMS, nested_in
from tap_stripe_connect.catalog.endpoints import EVENT_TYPES
from tap_stripe_connect.streams import schema_file
from tap_stripe_connect.tap import TapStripeConnect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tap_stripe_connect.catalog import Listed
    from tap_stripe_connect.simulator.account import Account
    from tap_stripe_connect.simulator.server import Simulator

Json = dict[str, Any]
Key = tuple[str, ...]
NOW = 1_767_225_600
"""2026-01-01, the simulated present of most tests."""
DAY = 86_400
KEYS = {stream.name: stream.key for stream in STREAMS}


@dataclass
class Output:
    """The messages of one run, in order."""

    messages: list[Json] = field(default_factory=list)
    exit_code: int = 0
    log: str = ""

    def records(self, stream: str) -> list[Json]:
        """Return a stream's records."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of records of each stream that has some."""
        found: defaultdict[str, int] = defaultdict(int)
        for message in self.messages:
            if message["type"] == "RECORD":
                found[message["stream"]] += 1
        return dict(found)

    @property
    def states(self) -> list[Json]:
        """Return the values of the STATE messages."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> Json:
        """Return the last STATE."""
        return self.states[-1]

    def schema(self, stream: str) -> Json:
        """Return a stream's SCHEMA; fails unless there is exactly one."""
        (found,) = (
            message["schema"]
            for message in self.messages
            if message["type"] == "SCHEMA" and message["stream"] == stream
        )
        assert isinstance(found, dict)
        return found


class Warehouse:
    """A target that upserts by key."""

    def __init__(self) -> None:
        self.tables: defaultdict[str, dict[Key, Json]] = defaultdict(dict)

    def load(self, messages: Iterable[Json]) -> Warehouse:
        """Upsert the records of a run."""
        for message in messages:
            if message["type"] == "RECORD":
                record = message["record"]
                key = tuple(record[name] for name in KEYS[message["stream"]])
                self.tables[message["stream"]][key] = record
        return self


def parsed(text: bytes) -> list[Json]:
    """Parse lines of JSON; fail unless every line is complete."""
    assert not text or text.endswith(b"\n")
    # Keys are shared: as many rows take 40 % less memory.
    return [msgspec.json.decode(line) for line in text.splitlines()]


def whole_lines(text: bytes) -> list[Json]:
    """Parse lines of JSON, without an incomplete last one."""
    return parsed(text[: text.rfind(b"\n") + 1])


def config_for(stripe: Simulator, **settings: Any) -> Json:
    """Return a configuration for the simulator, with a very high request rate.

    Rechecks have tests of their own; elsewhere none is ever due.
    """
    return {
        "recheck_interval": 3650 * DAY,
        "api_key": stripe.api_key,
        "api_url": stripe.url,
        "max_requests_per_second": 4000,
        **settings,
    }


def selecting(*names: str, only_fields: dict[str, list[str]] | None = None) -> Json:
    """Return a catalog that selects some streams, or some fields such as `address.country`."""
    tap = TapStripeConnect(config={}, validate_config=False)
    catalog: Json = json.loads(tap.catalog_json_text)
    for entry in catalog["streams"]:
        fields = (only_fields or {}).get(entry["tap_stream_id"])
        for item in entry["metadata"]:
            crumbs = item["breadcrumb"]
            if not crumbs:
                item["metadata"]["selected"] = entry["tap_stream_id"] in names
            elif fields is not None:
                path = ".".join(crumbs[1::2])
                item["metadata"]["selected"] = any(
                    path == name or name.startswith(f"{path}.") for name in fields
                )
    return catalog


class TapWithManyStates(TapStripeConnect):
    """Writes a STATE after each page."""

    state_interval = 0.0


def run(
    config: Json,
    *,
    state: Json | None = None,
    catalog: Json | None = None,
    every_state: bool = False,
) -> Output:
    """Run the tap in this process; `every_state` writes a STATE after each page."""
    kind = TapWithManyStates if every_state else TapStripeConnect
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    output = Output()
    with contextlib.redirect_stdout(stdout):
        try:
            kind(config=dict(config), catalog=catalog, state=state).sync_all()
        except SystemExit as left:
            output.exit_code = int(left.code or 0)
    stdout.flush()
    buffer = stdout.buffer
    assert isinstance(buffer, io.BytesIO)
    output.messages = parsed(buffer.getvalue())
    return output


def command(tmp_path: Path, config: Json, *, state: Json | None = None) -> list[str]:
    """Return the command line of a sync with these files."""
    config_file = tmp_path / "config.json"
    config_file.write_text(json.dumps(config))
    line = [sys.executable, "-m", "tap_stripe_connect", "--config", str(config_file)]
    if state is not None:
        state_file = tmp_path / "state.json"
        state_file.write_text(json.dumps(state))
        line += ["--state", str(state_file)]
    return line


PATIENT = """
import runpy
from tap_stripe_connect.sync.fetch.hedging import HedgeTimer
HedgeTimer.delay = float("inf")
runpy.run_module("tap_stripe_connect", run_name="__main__")
"""


def patient(line: list[str]) -> list[str]:
    """Return a command line of the tap that never hedges, however slow the machine is."""
    place = line.index("-m")
    return [*line[:place], "-c", PATIENT, *line[place + 2 :]]


def cli(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the tap as a process of its own."""
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tap_stripe_connect", *arguments],
        capture_output=True,
        check=False,
        text=True,
        input=stdin,
        timeout=600,
    )


def add_samples(account: Account, at: int = NOW - DAY) -> None:
    """Create an object of each list that is empty, with two nested ones.

    Where events about it mean a change of another object, it names one that is there.
    """
    for listed in sorted(LISTED.values(), key=lambda one: len(touching(one))):
        if not account.count(listed.object):
            others = {
                path: found["id"]
                for path, touched in touching(listed).items()
                for found in list(account.objects(touched.object))[:1]
            }
            account.create(listed.object, nested_samples(listed) | others, at=at)


def touching(listed: Listed) -> dict[str, Listed]:
    """Return the lists that events about this one's objects touch, by the field with the id."""
    return {
        path: touched
        for touched in LISTED.values()
        for path in touched.touched_by.get(listed.object, ())
    }


def nested_samples(listed: Listed, count: int = 2) -> Json:
    """Return the nested lists of a list's objects, with `count` items each."""
    return {
        nested.list_field: [{"id": f"{nested.name}_{place}"} for place in range(count)]
        for nested in nested_in(listed.name)
    }


def change_types(listed: Listed) -> list[str]:
    """Return the types of events about these objects, except for deletions."""
    return [
        name
        for name, objects in EVENT_TYPES.items()
        if listed.object in objects and not name.endswith((".deleted", ".detached"))
    ]


def expected(account: Account) -> dict[str, dict[Key, Json]]:
    """Return the expected tables of a warehouse, independently derived from the schemas."""
    tables: dict[str, dict[Key, Json]] = {stream.name: {} for stream in STREAMS}
    for listed in LISTED.values():
        for found in account.objects(listed.object):
            for nested in (row for row in NESTED.values() if row.parent == listed.name):
                for child in found.pop(nested.list_field)["data"]:
                    child.setdefault(nested.parent_field, found["id"])
                    _put(tables[nested.name], nested.name, child, account.id, found)
            _put(tables[listed.name], listed.name, found, account.id, found)
    return tables


def _put(table: dict[Key, Json], stream: str, value: Json, account: str, parent: Json) -> None:
    schema = schema_file(stream)
    row = _typed(value, schema)
    livemode = value.get("livemode", parent.get("livemode", False))
    created = value.get("created", parent.get("created"))
    row |= {
        "account_id": account,
        "livemode": livemode,
        "updated_at": _iso(NOW if created is None else created),
        "_sdc_deleted_at": None,
        "additional_fields": None,
    }
    table[tuple(row[name] for name in KEYS[stream])] = row


def _typed(value: Any, schema: Json) -> Any:
    if isinstance(value, list):
        return [_typed(item, schema["items"]) for item in value]
    if isinstance(value, dict):
        if "object" not in schema["type"]:
            return value["id"]
        inner = schema.get("properties", {})
        return {
            name: _typed(item, inner[name]) if name in inner else item
            for name, item in value.items()
        }
    if schema.get("format") == "date-time" and value is not None:
        return _iso(value)
    return value


def _iso(seconds: Any) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def cuts(messages: list[Json]) -> Iterator[tuple[list[Json], Json]]:
    """Yield the messages up to each STATE, with that STATE."""
    for place, message in enumerate(messages):
        if message["type"] == "STATE":
            yield messages[: place + 1], message["value"]
