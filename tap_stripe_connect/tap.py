"""The tap: its settings, streams and commands, and the sync that hands over to the engine."""

from __future__ import annotations

import difflib
import logging
import os
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator

from tap_stripe_connect import settings as settings_table
from tap_stripe_connect.accounts import accounts
from tap_stripe_connect.api.client import Client
from tap_stripe_connect.api.limits import ENDPOINT_SHARE, PER_ENDPOINT, Limiter
from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.cli import TapFault, command_group
from tap_stripe_connect.selection import CatalogError, normalised
from tap_stripe_connect.streams import FULL_TABLE, StripeStream, schema_file
from tap_stripe_connect.sync.bookmark import StateError
from tap_stripe_connect.sync.bookmarks import Bookmarks
from tap_stripe_connect.sync.connection_test import ConnectionTest
from tap_stripe_connect.sync.engine import Engine
from tap_stripe_connect.sync.figures import figures, left_out, standings
from tap_stripe_connect.sync.garbage import collecting_rarely
from tap_stripe_connect.sync.jobs import Job
from tap_stripe_connect.sync.messages import MessageWriter, now
from tap_stripe_connect.sync.progress import Progress
from tap_stripe_connect.sync.records import Converter, Records
from tap_stripe_connect.sync.run import Run
from tap_stripe_connect.sync.signals import Signals, handle_hangups
from tap_stripe_connect.sync.summary import Summary, announce
from tap_stripe_connect.sync.transfer import Transfer, abandon_stdout, checked_output
from tap_stripe_connect.sync.troubles import fails_the_run, troubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import FrameType

    import click

    from tap_stripe_connect.accounts import Account
    from tap_stripe_connect.sync.troubles import Trouble

logger = logging.getLogger(__name__)

MAX_KEY_LENGTH = 63
"""Longest name of a column in PostgreSQL; the SDK shortens flattened names that are longer."""


class TapStripeConnect(Tap):
    """Copies Stripe data, of one account or of every connected account, into any Singer target."""

    name = "tap-stripe-connect"
    config_jsonschema: ClassVar[dict[str, Any]] = settings_table.json_schema()
    capabilities: ClassVar[list[Any]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.TEST,
        TapCapabilities.LOG_BASED,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    state_interval: ClassVar[float] = 1.0
    """Seconds between STATE messages."""

    def __init__(
        self,
        *,
        catalog: object = None,
        state: object = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Prepare to read; raises ConfigValidationError or TapFault, and sends no request."""
        self.bookmarks = Bookmarks()
        self._signals = Signals()
        self._accounts: list[Account] = []
        self._converters: dict[str, Converter] = {}
        self._unexplained: Counter[str] = Counter()
        self._writer = MessageWriter()
        try:
            if isinstance(catalog, dict):
                catalog = normalised(catalog)
            super().__init__(
                catalog=catalog,  # type: ignore[arg-type]
                state=state,  # type: ignore[arg-type]
                message_writer=self._writer,
                **kwargs,
            )
        except (CatalogError, StateError) as fault:
            raise TapFault(str(fault)) from None
        handle_hangups(self._handle_termination)

    # Settings

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the settings of the SDK, with our default for the length of flattened names."""
        super().append_builtin_config(config_jsonschema)
        properties = config_jsonschema["properties"]
        # A copy, because all plugins share the SDK's own.
        properties["flattening_max_key_length"] = {
            **properties["flattening_max_key_length"],
            "default": MAX_KEY_LENGTH,
        }

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Return settings from the environment, ours as they are.

        The SDK's own reading ends at the first wrong number; ours reports it beside the others.
        """
        prefix = cls._env_var_prefix
        given = {
            setting.name: os.environ[prefix + setting.name.upper()]
            for setting in settings_table.SETTINGS
            if prefix + setting.name.upper() in os.environ
        }
        builtin: dict[str, Any] = {}
        for name, schema in cls._builtin_settings()["properties"].items():
            try:
                builtin |= parse_environment_config({"properties": {name: schema}}, prefix)
            except ValueError:
                variable = prefix + name.upper()
                kind = "a whole number" if "integer" in schema["type"] else "JSON"
                raise TapFault(f"the environment variable {variable} is not {kind}") from None
        return {**builtin, **given}

    @classmethod
    def _builtin_settings(cls) -> dict[str, Any]:
        """Return the schema of the settings that the SDK adds to ours."""
        schema: dict[str, Any] = {"properties": {}}
        cls.append_builtin_config(schema)
        return schema

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Report all faults at once, in words that name the setting."""
        # The SDK does not expect a null; to users it means that a setting is not set.
        for name in self._builtin_settings()["properties"]:
            if name in self._config and self._config[name] is None:
                del self._config[name]
        checker = JSONSchemaValidator(self._builtin_settings())
        faults = [
            f"{error.json_path}: {error.message}" for error in checker.iter_errors(self._config)
        ]
        try:
            self.settings = settings_table.parse(self._config)
        except settings_table.SettingsError as error:
            faults = [*error.faults, *faults]
        if raise_errors:
            if faults:
                raise ConfigValidationError("Config validation failed", errors=faults)
            self._warn_of_unknown_settings()
        return faults

    def _warn_of_unknown_settings(self) -> None:
        known = [*self.config_jsonschema["properties"], *self._builtin_settings()["properties"]]
        for name in self._config:
            if name not in known and not name.startswith("_"):
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                logger.warning("The setting %s is not known and does nothing%s", name, hint)

    def setup_mapper(self) -> None:
        """Prepare stream maps and flattening; raises TapFault for what cannot be used."""
        try:
            super().setup_mapper()
        except (MapExpressionError, StreamMapConfigError) as error:
            raise TapFault(f"stream_maps: {error}") from None
        except ValueError as error:
            if not str(error).startswith("Duplicate column name"):
                raise
            raise TapFault(f"flattening_max_key_length is too short: {error}") from None

    # Streams and state

    def discover_streams(self) -> Sequence[StripeStream]:
        """Return every stream of the table."""
        return [StripeStream(self, spec, self.records_of) for spec in STREAMS]

    def load_state(self, state: dict[str, Any]) -> None:
        """Read the state; the SDK keeps nothing of it, so nothing of it is lost (E8)."""
        self.bookmarks = Bookmarks(state)
        self.state.update(self.bookmarks.state() if state else {})  # type: ignore[typeddict-item]

    def _selected(self) -> dict[str, StripeStream]:
        return {
            name: stream
            for name, stream in self.streams.items()
            if isinstance(stream, StripeStream) and stream.selected
        }

    def _wanted(self) -> dict[str, StripeStream]:
        """Return the selected streams; raises TapFault where nothing would be read in silence."""
        selected = self._selected()
        if not selected:
            raise TapFault(
                "no stream is selected: select some in the catalog (`select` of Meltano), "
                "or leave the catalog out to read them all"
            )
        return selected

    # Reading

    def _client(self, stopping: threading.Event) -> Client:
        settings = self.settings
        return Client(
            url=settings.api_url,
            api_key=settings.api_key,
            api_version=settings.api_version,
            limiter=Limiter(settings.max_requests_per_second),
            stopping=stopping,
        )

    def _read_accounts(self, client: Client) -> list[Account]:
        """Ask Stripe which accounts there are to read; raises TapFault if none are left."""
        found = accounts(client, self.settings)
        part, parts = self.settings.shard
        if not found and parts > 1:
            logger.info("No account is in shard %s/%s", part, parts)
        elif not found:
            raise TapFault(
                "no account is left to read: set account_ids or include_platform, "
                "or exclude fewer accounts"
            )
        return found

    @staticmethod
    def _converters_of(streams: Mapping[str, StripeStream]) -> dict[str, Converter]:
        return {name: Converter(stream.spec, schema_file(name)) for name, stream in streams.items()}

    def _begin(
        self, client: Client, streams: Mapping[str, StripeStream], bookmarks: Bookmarks
    ) -> tuple[Run, list[Job]]:
        """Ask Stripe who we are, and plan what to read; StripeError if it does not answer."""
        self._accounts = found = self._read_accounts(client)
        self._converters = converters = self._converters_of(streams)
        self._check_mode()
        own_time = int(client.wall_clock())
        run = Run(
            self.settings,
            bookmarks,
            Records(converters),
            (client.server_time or own_time, own_time),
            [name for name, one in streams.items() if one.replication_method == FULL_TABLE],
        )
        self._unexplained = run.rows.unexplained
        return run, run.begin(found, {name: stream.wanted for name, stream in streams.items()})

    def _check_mode(self) -> None:
        """Refuse a state of live data with a test key and the other way round (E12)."""
        mode = {True: "live", False: "test"}
        known, given = self.bookmarks.livemode, self.settings.livemode
        if known is not None and known is not given:
            raise TapFault(
                f"the state tells of {mode[known]} data but api_key is a {mode[given]} key; "
                "use another state for it, or the other key; or remove livemode from the state "
                "if it is right all the same"
            )
        self.bookmarks.livemode = given

    def records_of(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the records of one stream; raises StripeError if it cannot be read."""
        stopping = threading.Event()
        client = self._client(stopping)
        # Of its own: only what is written may move the tap's bookmarks.
        stream = self.streams[name]
        assert isinstance(stream, StripeStream)  # noqa: S101 - all of ours are
        run, planned = self._begin(client, {name: stream}, Bookmarks(self.bookmarks.state()))
        engine = Engine(client, stopping)
        engine.add(planned)
        for arrived in engine.pages():
            waiting = [arrived]
            while waiting:
                one = waiting.pop(0)
                if isinstance(one, Job):
                    if one.failure:
                        raise one.failure
                    pages, jobs = run.finished(one)
                else:
                    for _, record in run.records(one):
                        yield record
                    pages, jobs = run.written(one)
                engine.add(jobs)
                waiting += pages

    def run_connection_test(self) -> bool:  # type: ignore[misc]
        """Write the schema and a record of each selected stream, for `--test`.

        A key need not be able to read more (C7). Exits with 1 for what a sync would fail on.
        """
        selected = self._wanted()
        client = self._client(threading.Event())
        found = self._read_accounts(client)
        test = ConnectionTest(
            client,
            Records(self._converters_of(selected)),
            {name: stream.wanted for name, stream in selected.items()},
            livemode=self.settings.livemode,
        )
        count = 0
        with checked_output():
            for stream in selected.values():
                for message in stream.schema_messages():
                    self._writer.write_message(message)
            for name, record in test.records(found):
                count += 1
                self._writer.write_records(selected[name], record, now())
            self._writer.flush()
        self._tell(troubles(test.failed))
        if fails_the_run(test.failed, self.settings):
            sys.exit(1)
        logger.info("Connection test passed; %s of %s streams have records", count, len(selected))
        return True

    def run_discovery(self) -> str:
        """Write the catalog to stdout, and return it; a reader that has seen enough may leave."""
        with checked_output():
            try:
                catalog = super().run_discovery()
                sys.stdout.flush()
            except BrokenPipeError:
                abandon_stdout()
                sys.exit(1)
        return catalog

    def sync_all(self) -> None:  # type: ignore[misc]
        """Read all selected streams side by side.

        The SDK marks its own method as final and walks the streams one after another. Stripe
        limits each endpoint, so only streams side by side reach what it allows an account.
        """
        with self._signals.noted():
            self._sync_all()

    def _sync_all(self) -> None:
        selected = self._wanted()
        for name in selected:
            if name in self.bookmarks.doubtful:
                logger.warning(
                    "%s: the bookmark is not this tap's or not whole; what it does not tell "
                    "for certain is read again",
                    name,
                )
        stopping = threading.Event()
        client = self._client(stopping)
        per_endpoint = self.settings.max_requests_per_second * ENDPOINT_SHARE
        progress = Progress(client.tally, per_endpoint=max(PER_ENDPOINT, per_endpoint))
        transfer = Transfer(self._writer, self.bookmarks, selected, self.state_interval, progress)
        self._signals.stop_with(transfer.interrupt)
        try:
            with progress.telling(), collecting_rarely():
                run, planned = self._signals.unless_stopped(
                    lambda: self._begin(client, selected, self.bookmarks)
                )
                engine = Engine(client, stopping)
                engine.add(planned)
                progress.expect(planned, run.horizon)
                transfer.carry(run, engine)
        except BaseException:
            self._sum_up("ended early", transfer, client, progress)
            raise
        for line in run.notes():
            logger.warning(line)
        self._sum_up("complete", transfer, client, progress)
        if transfer.interrupted_by:
            logger.warning("Stopped by a signal; the next run goes on from here")
            sys.exit(128 + transfer.interrupted_by)
        if fails_the_run(transfer.ledger.failed, self.settings):
            sys.exit(1)

    def _sum_up(self, outcome: str, transfer: Transfer, client: Client, progress: Progress) -> None:
        """Tell what failed, and what the run did; on every way out (G7)."""
        selected = self._selected()
        found = troubles(transfer.ledger.failed)
        self._tell(found)
        if transfer.interrupted_by:
            outcome = "interrupted"
        elif outcome == "complete" and not all(trouble.expected for trouble in found):
            outcome = "incomplete"
        summary = Summary(
            outcome=outcome,
            seconds=progress.elapsed,
            found=figures(transfer.ledger, client.tally.costs(), self._accounts),
            troubles=found,
            standings=standings(self.bookmarks, self._accounts, selected, self.settings.start),
            notes=left_out(self._converters, self._unexplained),
        )
        announce(summary, selected)

    @staticmethod
    def _tell(found: Iterable[Trouble]) -> None:
        """Log what could not be read."""
        for trouble in found:
            level = logging.INFO if trouble.expected else logging.WARNING
            logger.log(level, trouble.line)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Note a signal; a run is brought to an end at the next whole line."""
        del frame
        self._signals.handle(signum)

    # Command line

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command with ours beneath it."""
        return command_group(super().get_singer_command(), cls.logger)
