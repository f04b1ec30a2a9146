"""Which file keeps the settings: what users say, what Meltano says, what the folders say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tap_stripe_connect.connect.store.config_file import Json
from tap_stripe_connect.connect.store.dotenv_file import Dotenv
from tap_stripe_connect.connect.store.kept import PROGRAM, Store, StoreFault
from tap_stripe_connect.connect.store.owners import stranger

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_PROJECT = "--plugin names an extractor of a Meltano project, and here is none; add --dotenv"


def found(
    environ: Mapping[str, str],
    *,
    config: Path | None = None,
    dotenv: Path | None = None,
    plugin: str | None = None,
) -> Store:
    """Return the file to use; raises StoreFault where the choice makes no sense.

    Meltano tells its commands which project and which plugin, inherited ones too, they are of.
    """
    if config:
        return _config(config)
    name = plugin or environ.get("MELTANO_EXTRACTOR_NAME") or PROGRAM
    syntax = Dotenv(prefix(name))
    if dotenv:
        return Store(dotenv, syntax, environ, options=f"--dotenv {shlex.quote(str(dotenv))}")
    project = _project(environ)
    if project:
        return Store(project / ".env", syntax, environ, plugin=name)
    if plugin:
        raise StoreFault(_NO_PROJECT)
    default = Path("config.json")
    _refuse_strangers("--config", default)
    return _config(default)


def prefix(plugin: str) -> str:
    """Return what the variables of a Meltano plugin begin with."""
    return re.sub(r"[^A-Z0-9]", "_", plugin.upper()) + "_"


def _config(path: Path) -> Store:
    option = f"--config {shlex.quote(str(path))}"
    return Store(path, Json(), options=option, tap_options=option)


def _project(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the Meltano project that we are in."""
    if told := environ.get("MELTANO_PROJECT_ROOT"):
        if not Path(told).is_dir():
            raise StoreFault(f"MELTANO_PROJECT_ROOT: {told} is not a folder")
        return Path(told)  # of which Meltano has run commands already, whoever's it is
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "meltano.yml").is_file():
            _refuse_strangers("--dotenv", folder / ".env", folder / "meltano.yml", folder)
            return folder
    return None


def _refuse_strangers(option: str, settings: Path, *others: Path) -> None:
    """Refuse a file that nobody named if another user could say in it where keys are sent."""
    for path in (settings, *others):
        if (user := stranger(path)) is not None:
            raise StoreFault(
                f"{path} belongs to another user (uid {user}), who could have your keys sent "
                f"elsewhere; if it is meant, add {option} {shlex.quote(str(settings))}"
            )
