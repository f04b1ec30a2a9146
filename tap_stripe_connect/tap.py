"""The tap: its settings, its streams, and the sync that runs a session."""

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
from tap_stripe_connect.catalog_input import CatalogError, normalize
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
"""Maximum length of a column name in PostgreSQL; the SDK shortens longer flattened names."""


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
        """Create the tap without sending a request; raises ConfigValidationError or TapError."""
        self.bookmarks = Bookmarks()
        self._signals = Signals()
        self._writer = MessageWriter()
        try:
            if isinstance(catalog, dict):
                catalog = normalize(catalog)
            super().__init__(
                catalog=catalog,  # type: ignore[arg-type]
                state=state,  # type: ignore[arg-type]
                message_writer=self._writer,
                **kwargs,
            )
        except (CatalogError, StateError) as error:
            raise TapError(str(error)) from None
        handle_hangups(self._handle_termination)

    # Settings

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the settings of the SDK, with another default for the length of flattened names."""
        super().append_builtin_config(config_jsonschema)
        properties = config_jsonschema["properties"]
        # A copy, because all plugins share the SDK's object.
        properties["flattening_max_key_length"] = {
            **properties["flattening_max_key_length"],
            "default": MAX_KEY_LENGTH,
        }

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Return settings from the environment; those of the tap are not parsed yet.

        The SDK would raise at the first invalid number. The tap parses its own settings later, and
        reports all errors together.
        """
        prefix = cls._env_var_prefix
        own = {
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
        return {**builtin, **own}

    @classmethod
    def _builtin_settings(cls) -> dict[str, Any]:
        """Return the schema of the settings that the SDK adds."""
        schema: dict[str, Any] = {"properties": {}}
        cls.append_builtin_config(schema)
        return schema

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Return all errors at once, each with the name of its setting."""
        # The SDK does not expect null, which users write for a setting that is not set.
        for name in self._builtin_settings()["properties"]:
            if name in self._config and self._config[name] is None:
                del self._config[name]
        checker = JSONSchemaValidator(self._builtin_settings())
        errors = [
            f"{error.json_path}: {error.message}" for error in checker.iter_errors(self._config)
        ]
        try:
            self.settings = settings_table.parse(self._config)
        except settings_table.SettingsError as error:
            errors = [*error.errors, *errors]
        if raise_errors:
            if errors:
                raise ConfigValidationError("Config validation failed", errors=errors)
            self._warn_of_unknown_settings()
        return errors

    def _warn_of_unknown_settings(self) -> None:
        known = [*self.config_jsonschema["properties"], *self._builtin_settings()["properties"]]
        for name in self._config:
            if name not in known and not name.startswith("_"):
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                logger.warning("Unknown setting %s has no effect%s", name, hint)

    def setup_mapper(self) -> None:
        """Set up stream maps and flattening; raises TapError if they are invalid."""
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
        """Create the map of one stream; the SDK creates those of all streams at once."""
        stream = self.streams[name]
        catalog = Catalog()
        entry = self.input_catalog.get(name) if self.input_catalog else None
        catalog.add_stream(entry or stream._singer_catalog_entry)  # noqa: SLF001 - as the SDK does
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
        """Return all streams of the table."""
        return [StripeStream(self, spec, self.records_of) for spec in STREAMS]

    def load_state(self, state: dict[str, Any]) -> None:
        """Parse the state; the SDK does not keep it, so the tap keeps all of it."""
        self.bookmarks = Bookmarks(state)
        self.state.update(self.bookmarks.state() if state else {})  # type: ignore[typeddict-item]

    def _selected(self) -> dict[str, StripeStream]:
        return {
            name: stream
            for name, stream in self.streams.items()
            if isinstance(stream, StripeStream) and stream.selected
        }

    def _streams_to_read(self) -> dict[str, StripeStream]:
        """Return the selected streams; raises TapError if there are none."""
        selected = self._selected()
        if not selected:
            raise TapError(
                "no stream is selected; select some in the catalog (in Meltano, with `select`), "
                "or run without a catalog to read all of them"
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
        """Yield the records of one stream; raises StripeError."""
        stream = self.streams[name]
        assert isinstance(stream, StripeStream)  # noqa: S101 - all of them are
        # A copy of the bookmarks, because only written records may advance the tap's own.
        return self._session({name: stream}, Bookmarks(self.bookmarks.state())).records()

    def run_connection_test(self) -> bool:  # type: ignore[misc]
        """Write the schema and one record of each selected stream, for `--test`."""
        self._session(self._streams_to_read(), self.bookmarks).test_connection(self._writer)
        return True

    def run_discovery(self) -> str:
        """Write the catalog to stdout and return it; exits with 1 if the reader closes the pipe."""
        with checked_output():
            try:
                catalog = super().run_discovery()
                sys.stdout.flush()
            except BrokenPipeError:
                abandon_stdout()
                sys.exit(1)
        return catalog

    def sync_all(self) -> None:  # type: ignore[misc]
        """Read all selected streams concurrently.

        The SDK's method is final and reads one stream after another. Stripe limits the rate of each
        endpoint, so only concurrent streams can use an account's whole rate limit.
        """
        with self._signals.deferred():
            self._sync_all()

    def _sync_all(self) -> None:
        selected = self._streams_to_read()
        for name in selected:
            if name in self.bookmarks.untrusted:
                logger.warning(
                    "%s: the bookmark is incomplete or was written by another tap; re-reading what "
                    "it does not cover",
                    name,
                )
        session = self._session(selected, self.bookmarks)
        session.sync(self._writer, self._signals, self.state_interval)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Record a signal; the run ends after the current line of output."""
        del frame
        self._signals.handle(signum)

    # Command line

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command with the tap's subcommands."""
        return command_group(super().get_singer_command(), cls.logger)
