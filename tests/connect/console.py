"""Commands run as users run them: as a process, with a real terminal or with none at all."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import requests

from tap_stripe_connect.simulator.connect.registry import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tap_stripe_connect.simulator.server import Simulator

PATIENCE = 120.0
"""Seconds after which something that was expected counts as missing, on a busy machine too."""
PROGRAM = (sys.executable, "-m", "tap_stripe_connect")
OWNER = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)
"""Makes standard input the process's own terminal, so that Ctrl-C reaches it."""
ENTRANCE = re.compile(r"http://localhost:\d+/\?key=\w+")
LINK = re.compile(r"http://\S+/oauth/authorize\?\S+")


@dataclass
class Place:
    """A folder, an environment and a simulated Stripe to run commands with.

    The settings name Stripe's address; the platform's key and client id are in the environment.
    """

    folder: Path
    stripe: Simulator
    port: int = 0
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Register client ids for a port that is free."""
        self.port = free_port()
        for mode, scheme in (("Test", "http"), ("Live", "https")):
            client = Client(
                id=f"ca_1{mode}",
                redirect_uris=(f"{scheme}://localhost:{self.port}/callback",),
                livemode=mode == "Live",
            )
            self.stripe.world.connect.add_client(client)
        self.environ = {
            name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}
        }
        self.environ |= {"STRIPE_CLIENT_ID": "ca_1Test", "STRIPE_SECRET_KEY": self.stripe.api_key}
        self.configure()

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "config.json"

    def configure(self, **settings: Any) -> None:
        """Write the settings file."""
        self.config.write_text(json.dumps({"api_url": self.stripe.url, **settings}))
        self.config.chmod(0o600)

    @property
    def settings(self) -> dict[str, Any]:
        """What the settings file says, but for Stripe's address."""
        found: dict[str, Any] = json.loads(self.config.read_text())
        del found["api_url"]
        return found

    @property
    def exchanges(self) -> int:
        """How often a code was presented."""
        return self.stripe.journal.count(path="/oauth/token")

    @property
    def redirect(self) -> str:
        """Where Stripe leads to in test mode."""
        return f"http://localhost:{self.port}/callback"

    def approve(self, link: str, account: str, decision: str = "allow") -> str:
        """Approve in Stripe, and return the address that the browser is led to."""
        answer = requests.post(
            link,
            data={"account": account, "decision": decision},
            allow_redirects=False,
            timeout=PATIENCE,
        )
        return answer.headers["Location"]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal."""
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "tap_stripe_connect", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self.environ,
            timeout=PATIENCE * 2,
        )

    def console(self, *arguments: str) -> Console:
        """Run a command in a terminal."""
        return Console(self, arguments)

    def script(self, *command: str) -> Console:
        """Run any program in a terminal."""
        return Console(self, command, program=())

    def beneath_meltano(self, *arguments: str) -> Console:
        """Run a command in a terminal whose standard error another program keeps."""
        return Console(self, arguments, logged=True)

    def connect(self, *arguments: str) -> Console:
        """Run `connect` in a terminal, with the redirect of this place."""
        return self.console("connect", "--redirect-uri", self.redirect, *arguments)


class Console:
    """A command in a terminal of its own; ended with the block that it is used in."""

    def __init__(
        self,
        place: Place,
        arguments: tuple[str, ...],
        *,
        logged: bool = False,
        program: tuple[str, ...] = PROGRAM,
    ) -> None:
        """Start it; `logged` takes its standard error away, as Meltano does."""
        self._terminal, other = pty.openpty()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", OWNER, *program, *arguments],
            stdin=other,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if logged else other,
            cwd=place.folder,
            env=place.environ,
            start_new_session=True,
        )
        os.close(other)
        self.seen = ""
        """All that was shown so far."""
        self._read = 0

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        os.close(self._terminal)

    def expect(self, text: str) -> str:
        """Return what is shown up to and with a text that has not been seen before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen[self._read :]:
            if not self._more(deadline):
                raise AssertionError(f"{text!r} does not come after:\n{self.seen}")
        end = self.seen.index(text, self._read) + len(text)
        shown, self._read = self.seen[self._read : end], end
        return shown

    def link(self) -> str:
        """Return the next address at Stripe that is shown."""
        self.expect("/oauth/authorize?")
        self.expect("\n")
        return str(LINK.findall(self.seen[: self._read])[-1])

    def entrance(self) -> str:
        """Return the address of the pages that was shown last."""
        return str(ENTRANCE.findall(self.seen[: self._read])[-1])

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._terminal, text.encode())

    def ended(self) -> int:
        """Return the exit code, once it has ended and all is seen."""
        deadline = time.monotonic() + PATIENCE
        while self._more(deadline):
            pass
        return self._process.wait(PATIENCE)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def result(self) -> str:
        """Return standard output, after the end."""
        assert self._process.stdout
        return self._process.stdout.read().decode()

    def log(self) -> str:
        """Return standard error where it was taken away, after the end."""
        assert self._process.stderr
        return self._process.stderr.read().decode()

    def _more(self, deadline: float) -> bool:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._terminal], [], [], left)[0]:
            return False
        try:
            found = os.read(self._terminal, 65_536)
        except OSError:  # how Linux tells that nobody holds the other end any more
            return False
        self.seen += found.decode().replace("\r\n", "\n")
        return bool(found)


def free_port() -> int:
    """Return a port that nothing uses, neither with IPv4 nor with IPv6."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
