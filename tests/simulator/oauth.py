"""A platform that connects accounts at the simulated Stripe, and parsers of its responses."""

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
    """The platform of the simulator, with test and live clients, and another platform's client."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        for client in (
            Client(id="ca_1Test", redirect_uris=(CALLBACK,)),
            Client(id="ca_1Live", redirect_uris=(SECURE,), livemode=True),
            Client(id="ca_1Theirs", redirect_uris=(CALLBACK,), account="acct_1Theirs"),
        ):
            simulator.world.connect.add_client(client)
        simulator.world.add_signup(ACCOUNT).create("customer", {"id": "cus_1"})

    def code(self, *, account: str = ACCOUNT, client: str = "ca_1Test") -> str:
        """Grant a platform access to an account, and return the code."""
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
        """Disconnect an account."""
        return self.post("/oauth/deauthorize", {"client_id": client, "stripe_user_id": account})


def denied(answer: Response) -> tuple[int, str, str]:
    """Return status, code and description of an OAuth error."""
    content = answer.json()
    assert content.keys() == {"error", "error_description"}
    return answer.status_code, content["error"], content["error_description"]


def refused(answer: Response) -> tuple[int, str]:
    """Return status and message of an API error."""
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    return answer.status_code, error["message"]
