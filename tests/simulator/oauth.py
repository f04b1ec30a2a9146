"""A platform that connects accounts at the simulated Stripe, and how its answers are read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import requests

from tap_stripe_connect.simulator.connect.registry import Client

if TYPE_CHECKING:
    from requests import Response

    from tap_stripe_connect.simulator.server import Simulator

CALLBACK = "http://localhost:8765/callback"
SECURE = "https://localhost:8765/callback"
GRANT = {"grant_type": "authorization_code"}
ACCOUNT = "acct_1Example"
LINK = {"client_id": "ca_1Test", "response_type": "code", "scope": "read_write"}
USED = (
    "This authorization code has already been used. "
    "All tokens issued with this code have been revoked."
)
UNKNOWN_CLIENT = "No application matches the supplied client identifier"
NOT_CONNECTED = (
    "This application is not connected to stripe account {}, or that account does not exist."
)


class Platform:
    """The platform of the simulator, with a test and a live client id, and a stranger's beside."""

    def __init__(self, simulator: Simulator) -> None:
        """Register the client ids, and let one account sign up."""
        self.simulator = simulator
        for client in (
            Client(id="ca_1Test", redirect_uris=(CALLBACK,)),
            Client(id="ca_1Live", redirect_uris=(SECURE,), livemode=True),
            Client(id="ca_1Theirs", redirect_uris=(CALLBACK,), account="acct_1Theirs"),
        ):
            simulator.world.connect.add_client(client)
        simulator.world.add_signup(ACCOUNT).create("customer", {"id": "cus_1"})

    def code(self, *, account: str = ACCOUNT, client: str = "ca_1Test") -> str:
        """Let an account allow what a platform wants, and return the code."""
        answer = requests.post(
            f"{self.simulator.url}/oauth/authorize",
            params=LINK | {"client_id": client},
            data={"account": account, "decision": "allow"},
            allow_redirects=False,
            timeout=120,
        )
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    def post(self, path: str, form: dict[str, str], key: str | None = None) -> Response:
        """Post a form with the platform's key, or another."""
        auth = (self.simulator.api_key if key is None else key, "")
        return requests.post(self.simulator.url + path, data=form, auth=auth, timeout=120)

    def exchange(self, code: str, key: str | None = None) -> Response:
        """Exchange a code."""
        return self.post("/oauth/token", GRANT | {"code": code}, key)

    def deauthorize(self, client: str = "ca_1Test", account: str = ACCOUNT) -> Response:
        """Give up an account."""
        return self.post("/oauth/deauthorize", {"client_id": client, "stripe_user_id": account})


def denied(answer: Response) -> tuple[int, str, str]:
    """Return status, word and text of an error in OAuth's shape."""
    content = answer.json()
    assert content.keys() == {"error", "error_description"}
    return answer.status_code, content["error"], content["error_description"]


def refused(answer: Response) -> tuple[int, str]:
    """Return status and text of an error in the API's shape."""
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    return answer.status_code, error["message"]
