"""The processes of the demo: a simulated Stripe and Meltano, which end with the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

from tap_stripe_connect.catalog import LISTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
MELTANO = ROOT / ".venv" / "meltano" / "bin" / "meltano"
PREFIXES = ("MELTANO_", "TAP_STRIPE_CONNECT_", "TARGET_DUCKDB_")
"""Settings in the environment that the demo must not inherit, such as a real key."""
PATIENCE = 15.0
"""Seconds for a process to end after a signal."""
TAIL = 25
"""Number of log lines to show after a failure."""

_open = build_opener(ProxyHandler({})).open


class DemoError(Exception):
    """The demo cannot continue; the message says why."""


@dataclass(frozen=True)
class Stripe:
    """A running simulated Stripe."""

    url: str
    api_key: str
    items: Mapping[str, int]
    """Number of objects of each nested stream."""

    def held(self) -> dict[str, int]:
        """Return the number of objects of each stream."""
        (counts,) = self._get("state")["accounts"].values()
        return {name: counts[listed.object] for name, listed in LISTED.items()} | dict(self.items)

    def journal(self) -> tuple[int, int]:
        """Return the number of answered requests and of objects in their responses."""
        requests = self._get("journal")
        return len(requests), sum(request["rows"] or 0 for request in requests)

    def _get(self, what: str) -> Any:  # noqa: ANN401 - JSON
        with _open(f"{self.url}/_simulator/{what}", timeout=PATIENCE) as answer:
            return json.load(answer)


@contextmanager
def stripe(*, customers: int, until: int) -> Iterator[Stripe]:
    """Serve a business as it is at `until`, in unix seconds."""
    options = {"customers": customers, "until": until}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    with subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", "scripts.demo.world", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise DemoError("the simulator did not start")
            yield Stripe(**json.loads(line))
        finally:
            _end(process)


def meltano(
    *arguments: str, env: Mapping[str, str], log: Path, tick: Callable[[], None] = lambda: None
) -> None:
    """Run Meltano with its output in `log`; call `tick` every second."""
    with (
        log.open("ab") as output,
        subprocess.Popen(  # noqa: S603 - our own
            [MELTANO, *arguments],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)
                    break
                tick()
        finally:
            _end(process)
    if process.returncode:
        lines = log.read_text("utf-8", "replace").splitlines()[-TAIL:]
        ended = f"meltano {arguments[0]} ended with {process.returncode}; more in {log}"
        raise DemoError("\n".join([*lines, ended]))


def environment(stripe: Stripe, folder: Path) -> dict[str, str]:
    """Return the environment in which Meltano loads from `stripe` into `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    direct = ",".join(filter(None, [kept.get("NO_PROXY", ""), "127.0.0.1"]))
    return kept | {
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "MELTANO_CLI_LOG_FORMAT": "uncolored",
        "MELTANO_ENVIRONMENT": "demo",
        "MELTANO_PROJECT_ROOT": str(ROOT),
        "MELTANO_STATE_BACKEND_URI": f"file://{folder / 'state'}",
        "MELTANO_SYS_DIR_ROOT": str(folder.parent / "meltano"),
        "NO_PROXY": direct,
        "no_proxy": direct,
        "TAP_STRIPE_CONNECT_API_KEY": stripe.api_key,
        "TAP_STRIPE_CONNECT_API_URL": stripe.url,
        # Stripe's pace is not what the demo shows.
        "TAP_STRIPE_CONNECT_MAX_REQUESTS_PER_SECOND": "1000",
        "TARGET_DUCKDB_FILEPATH": str(folder / "stripe.duckdb"),
    }


def _end(process: subprocess.Popen[Any]) -> None:
    """End a process and all others in its session."""
    if process.stdin:
        process.stdin.close()
    elif process.poll() is None:
        _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[Any], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
