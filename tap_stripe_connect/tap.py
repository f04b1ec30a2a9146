"""The tap: its settings, streams and commands, and the sync that hands over to the engine."""

from __future__ import annotations

import difflib
import logging
import os
import sys
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
from singer_sdk.plugin_base import JSONSchemaValidator, PluginBase
from singer_sdk.singerlib import Catalog

from tap_stripe_connect import settings as settings_table
from tap_stripe_connect.catalog import STREAMS
from tap_stripe_connect.catalog_input import CatalogError, normalised
from tap_stripe_connect.cli import command_group
from tap_stripe_connect.errors import TapError
from tap_stripe_connect.mapping import LazyStreamMaps
from tap_stripe_connect.streams import FULL_TABLE, StripeStream, schema_file
from tap_stripe_connect.sync.emit.messages import MessageWriter
from tap_stripe_connect.sync.emit.records import Converter
from tap_stripe_connect.sync.emit.writer import abandon_stdout, checked_output
from tap_stripe_connect.sync.session import Session
from tap_stripe_connect.sync.signals import Signals, handle_hangups
from tap_stripe_connect.sync.state.bookmark import StateError
from tap_stripe_connect.sync.state.format import Bookmarks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    import click


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
        """Prepare to read; raises ConfigValidationError or TapError, and sends no request."""
        self.bookmarks = Bookmarks()
        self._signals = Signals()
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
            raise TapError(str(fault)) from None
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
                raise TapError(f"the environment variable {variable} is not {kind}") from None
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
        """Prepare stream maps and flattening; raises TapError for what cannot be used."""
        try:
            if self.config.get("stream_maps") or self.config.get("flattening_enabled"):
                super().setup_mapper()
            else:
                PluginBase.setup_mapper(self)
                self.mapper.stream_maps = LazyStreamMaps(self._register_stream_map)
        except (MapExpressionError, StreamMapConfigError) as error:
            raise TapError(f"stream_maps: {error}") from None
        except ValueError as error:
            if not str(error).startswith("Duplicate column name"):
                raise
            raise TapError(f"flattening_max_key_length is too short: {error}") from None

    def _register_stream_map(self, name: str) -> None:
        """Make the map of one stream, as the SDK does of all."""
        stream = self.streams[name]
        catalog = Catalog()
        given = self.input_catalog.get(name) if self.input_catalog else None
        catalog.add_stream(given or stream._singer_catalog_entry)  # noqa: SLF001 - as the SDK does
        self.mapper.register_raw_streams_from_catalog(catalog)

    # Streams and state

    @property
    def catalog_dict(self) -> dict[str, Any]:
        """The discovered catalog."""
        return {
            "streams": [
                stream.catalog_entry
                for stream in self.streams.values()
                if isinstance(stream, StripeStream)
            ]
        }

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
        """Return the selected streams; raises TapError where nothing would be read in silence."""
        selected = self._selected()
        if not selected:
            raise TapError(
                "no stream is selected: select some in the catalog (`select` of Meltano), "
                "or leave the catalog out to read them all"
            )
        return selected

    # Reading

    def _session(self, streams: Mapping[str, StripeStream], bookmarks: Bookmarks) -> Session:
        return Session(
            self.settings,
            bookmarks,
            streams,
            {name: Converter(stream.spec, schema_file(name)) for name, stream in streams.items()},
            [name for name, one in streams.items() if one.replication_method == FULL_TABLE],
        )

    def records_of(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the records of one stream; raises StripeError if it cannot be read."""
        stream = self.streams[name]
        assert isinstance(stream, StripeStream)  # noqa: S101 - all of ours are
        # Bookmarks of its own: only what is written may move the tap's.
        return self._session({name: stream}, Bookmarks(self.bookmarks.state())).records()

    def run_connection_test(self) -> bool:  # type: ignore[misc]
        """Write the schema and a record of each selected stream, for `--test`."""
        self._session(self._wanted(), self.bookmarks).test_connection(self._writer)
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
        with self._signals.deferred():
            self._sync_all()

    def _sync_all(self) -> None:
        selected = self._wanted()
        for name in selected:
            if name in self.bookmarks.untrusted:
                logger.warning(
                    "%s: the bookmark is not this tap's or not whole; what it does not tell "
                    "for certain is read again",
                    name,
                )
        session = self._session(selected, self.bookmarks)
        session.sync(self._writer, self._signals, self.state_interval)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Note a signal; a run is brought to an end at the next whole line."""
        del frame
        self._signals.handle(signum)

    # Command line

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command with ours beneath it."""
        return command_group(super().get_singer_command(), cls.logger)
