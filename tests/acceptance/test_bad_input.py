"""User errors: one clear line, a non-zero exit code, nothing half-written."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_stripe_connect.api.client import Client
from tap_stripe_connect.errors import TapError
from tap_stripe_connect.mapping import MapError
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import NOW, cli, config_for, run, selecting

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tap_stripe_connect.simulator.journal import Request
    from tap_stripe_connect.simulator.server import Simulator

SECRET = "sk_test_51PlantedSecretThatMustNotShow"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Run the tap with configuration, state and catalog files."""
    return Files(tmp_path)


class Files:
    """Runs the tap with files of given contents."""

    def __init__(self, folder: Path) -> None:
        """Store the folder for the files."""
        self._folder = folder

    def run(self, **contents: Any) -> subprocess.CompletedProcess[str]:
        """Run with `--config`, `--state`, `--catalog`; text is written unchanged."""
        arguments = []
        for name, content in contents.items():
            file = self._folder / f"{name}.json"
            file.write_text(content if isinstance(content, str) else json.dumps(content))
            arguments += [f"--{name}", str(file)]
        return cli(*arguments)


def error_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Check that a run failed cleanly, and return the error lines of its log."""
    assert result.returncode == 1
    assert result.stdout == "", "something was written"
    assert "Traceback" not in result.stderr
    assert "PlantedSecret" not in result.stderr
    return [
        line
        for line in result.stderr.splitlines()
        if " ERROR " in line or " CRITICAL " in line or line.startswith("Error:")
    ]


def test_a_wrong_key(stripe: Simulator, files: Files) -> None:
    """The error has Stripe's message, the request id and the setting; two requests at most."""
    (line,) = error_lines(files.run(config=config_for(stripe, api_key=SECRET)))
    assert "Invalid API Key provided" in line
    assert "check api_key" in line
    assert "req_" in line
    assert stripe.journal.count() <= 2


def test_a_publishable_key(files: Files) -> None:
    """It is rejected before any request, and the error names the kind of key to use."""
    lines = error_lines(files.run(config={"api_key": "pk_test_51PlantedSecretThatMustNotShow"}))
    assert "api_key: this is a publishable key" in lines[0]


def test_every_fault_of_a_configuration_at_once(stripe: Simulator, files: Files) -> None:
    """Three errors give three lines, and no request is sent."""
    config = config_for(
        stripe, start_date="yesterday-ish", account_ids=["me"], on_account_error="ignore"
    )
    lines = error_lines(files.run(config=config))
    assert [line.split("| ")[-1].split(":")[0] for line in lines[:3]] == [
        "account_ids",
        "start_date",
        "on_account_error",
    ]
    assert "'30 days ago'" in lines[1]
    assert stripe.journal.count() == 0


def test_an_address_where_nothing_listens(files: Files) -> None:
    """The error names the setting."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    (line,) = error_lines(files.run(config={"api_key": SECRET, "api_url": url}))
    assert f"Cannot reach Stripe at {url}" in line
    assert "Connection refused" in line
    assert "check api_url" in line


def test_an_address_of_something_else(stripe: Simulator, files: Files) -> None:
    """Another server is not mistaken for an empty account."""
    (line,) = error_lines(files.run(config=config_for(stripe, api_url=f"{stripe.url}/elsewhere")))
    assert "/elsewhere" in line or "Unrecognized request URL" in line


def test_an_account_that_is_not_connected(stripe: Simulator, files: Files) -> None:
    """It is reported once, with the setting to change; the run fails, other accounts are read."""
    stripe.world.add_account("acct_1Known").create("coupon", {"id": "C"})
    config = config_for(stripe, account_ids=["acct_1Stranger", "acct_1Known"])
    result = files.run(config=config)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = (line for line in result.stderr.splitlines() if "acct_1Stranger could" in line)
    assert "remove it from account_ids" in line
    assert '"id":"C"' in result.stdout
    records = [line for line in result.stdout.splitlines() if '"type":"RECORD"' in line]
    assert not any("acct_1Stranger" in line for line in records)
    assert "acct_1Stranger" not in json.loads(result.stdout.splitlines()[-1])["value"]["bookmarks"]


def test_on_account_error_warn_lets_the_run_succeed(stripe: Simulator, files: Files) -> None:
    """The account is reported nevertheless."""
    config = config_for(stripe, account_ids=["acct_1Stranger"], on_account_error="warn")
    result = files.run(config=config)
    assert result.returncode == 0
    assert "acct_1Stranger" in result.stderr


@pytest.mark.parametrize(("setting", "code"), [("fail", 1), ("warn", 0)])
def test_a_missing_permission(stripe: Simulator, files: Files, setting: str, code: int) -> None:
    """Other streams are read; the denied one keeps its bookmark, and the permission is named."""
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.world.add_key("rk_test_few", permissions=["rak_coupon_read"])
    config = config_for(stripe, api_key="rk_test_few", on_permission_error=setting)
    result = files.run(config=config, catalog=selecting("coupons", "charges"))
    assert result.returncode == code
    (line,) = (line for line in result.stderr.splitlines() if "charges of acct_" in line)
    assert "rak_charge_read" in line
    assert '"id":"C"' in result.stdout
    state = json.loads(result.stdout.splitlines()[-1])["value"]
    assert set(state["bookmarks"]) == {"coupons"}


def test_a_stream_that_keeps_failing(stripe: Simulator, files: Files) -> None:
    """A persistent server error fails only this stream, and the run."""
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.faults.add(
        Fault(match="/v1/charges", status=500, headers={"Stripe-Should-Retry": "false"})
    )
    result = files.run(config=config_for(stripe), catalog=selecting("coupons", "charges"))
    assert result.returncode == 1
    assert '"id":"C"' in result.stdout
    (line,) = (line for line in result.stderr.splitlines() if "charges of acct_" in line)
    assert "status 500" in line
    assert "req_" in line


@pytest.mark.parametrize(
    ("state", "expected_text"),
    [
        ('{"bookmarks": {"charges": {"cov', "--state"),
        ("[]", "--state"),
        ({"bookmarks": {"charges": {"covered": "abc"}}}, "bookmarks.charges.covered"),
        ({"bookmarks": {"charges": {"covered": [["a", "b"]]}}}, "bookmarks.charges.covered[0]"),
        ({"bookmarks": 5}, "bookmarks"),
        ({"tap_stripe_connect": {"version": 2}}, "tap_stripe_connect.version"),
    ],
)
def test_a_damaged_state(stripe: Simulator, files: Files, state: Any, expected_text: str) -> None:
    """The error names the invalid key, and no request is sent."""
    (line,) = error_lines(files.run(config=config_for(stripe), state=state))
    assert expected_text in line
    assert stripe.journal.count() == 0


def test_a_state_of_the_other_mode(stripe: Simulator, files: Files) -> None:
    """Live bookmarks are rejected with a test key; no list is requested."""
    header = {"version": 1, "livemode": True, "accounts": []}
    state = {"bookmarks": {}, "tap_stripe_connect": header}
    (line,) = error_lines(files.run(config=config_for(stripe), state=state))
    assert "live" in line
    assert {request.path for request in stripe.journal.requests} <= {"/v1/account"}


def test_an_unknown_stream_in_the_catalog(stripe: Simulator, files: Files) -> None:
    """The error names it and says what to do; nothing is read."""
    catalog = selecting("coupons")
    catalog["streams"].append(
        {
            "tap_stream_id": "refundz",
            "stream": "refundz",
            "schema": {"type": "object", "properties": {}},
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
    )
    (line,) = error_lines(files.run(config=config_for(stripe), catalog=catalog))
    assert "refundz" in line
    assert "--discover" in line
    assert stripe.journal.count() == 0


@pytest.mark.parametrize(
    "catalog",
    [
        '{"streams": [',
        "{}",
        {"streams": [5]},
        {"streams": [{"tap_stream_id": "charges", "schema": {"properties": []}, "metadata": []}]},
    ],
)
def test_a_damaged_catalog(stripe: Simulator, files: Files, catalog: Any) -> None:
    """It is reported in one line; nothing is read."""
    (line,) = error_lines(files.run(config=config_for(stripe), catalog=catalog))
    assert "catalog" in line
    assert stripe.journal.count() == 0


@pytest.mark.parametrize("config", ['{"api_key": "sk_test_51PlantedSecr', "[1]"])
def test_a_damaged_config_file(files: Files, config: str) -> None:
    """The error names the option, and shows nothing of the file."""
    (line,) = error_lines(files.run(config=config))
    assert "--config" in line


def test_a_config_file_that_is_not_there() -> None:
    """The error names the option and the file."""
    (line,) = error_lines(cli("--config", "nowhere.json"))
    assert "--config" in line
    assert "nowhere.json" in line


def test_an_expression_that_fails(stripe: Simulator, files: Files) -> None:
    """One line has stream, object and expression; the stream's bookmark covers nothing."""
    stripe.world.platform.create("customer", {"id": "cus_1", "name": "Ada Private"})
    config = config_for(stripe, stream_maps={"customers": {"x": "md5(phone)"}})
    result = files.run(config=config, catalog=selecting("customers"))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = (one for one in result.stderr.splitlines() if " ERROR " in one)
    assert "the expression 'md5(phone)' failed for cus_1 of customers" in line
    assert "'NoneType' object has no attribute 'encode'" in line
    assert "md5(phone) if phone else None" in line
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["value"]["bookmarks"]["customers"]["covered"] == []


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        ({"x": "phonee"}, "NameNotDefined: 'phonee' is not defined for expression 'phonee'"),
        ({"x": "name + 1"}, "TypeError: can only concatenate str"),
        ({"x": "int(name)"}, "(ValueError)"),
        ({"x": "record['nowhere']"}, "(KeyError)"),
        ({"__filter__": "phone.startswith('+')"}, "AttributeDoesNotExist: "),
    ],
)
def test_errors_in_expressions_are_reported_without_values(
    stripe: Simulator, maps: dict[str, str], reason: str
) -> None:
    """The message has the reason, but no value of the object."""
    stripe.world.platform.create("customer", {"id": "cus_1", "name": "Ada", "phone": None})
    config = config_for(stripe, stream_maps={"customers": maps})
    with pytest.raises(MapError) as failure:
        run(config, catalog=selecting("customers"))
    assert repr(next(iter(maps.values()))) in str(failure.value)
    assert reason in str(failure.value)
    assert "Ada" not in str(failure.value)


@pytest.mark.parametrize(
    ("maps", "expected_text"),
    [
        ({"customers": {"x": "1 +"}}, "Failed to parse expression 1 +"),
        ({"customers": {"x": 5}}, "customers"),
        ({"customers": {"id": None}}, "id"),
        ({"customers": 5}, "customers"),
        ({"customers": "text"}, "customers"),
        ({"__nothing__": None}, "__nothing__"),
    ],
)
def test_stream_maps_that_cannot_be_used(stripe: Simulator, maps: Any, expected_text: str) -> None:
    """The error names the setting; no request is sent."""
    with pytest.raises((TapError, ConfigValidationError)) as failure:
        run(config_for(stripe, stream_maps=maps))
    text = "; ".join(getattr(failure.value, "errors", [str(failure.value)]))
    assert "stream_maps" in text
    assert expected_text in text
    assert stripe.journal.count() == 0


def test_flattened_names_that_clash(stripe: Simulator) -> None:
    """A length at which names clash is rejected, and the error names the setting."""
    config = config_for(
        stripe, flattening_enabled=True, flattening_max_depth=2, flattening_max_key_length=30
    )
    with pytest.raises(TapError, match="flattening_max_key_length is too short"):
        run(config)
    assert stripe.journal.count() == 0


@pytest.mark.parametrize(
    "name", ["stream_maps", "stream_map_config", "faker_config", "flattening_enabled"]
)
def test_a_null_setting_of_the_sdk_is_one_that_is_not_set(stripe: Simulator, name: str) -> None:
    """Some tools write every setting, with null for those without a value."""
    stripe.world.platform.create("coupon", {"id": "C"})
    output = run(config_for(stripe, **{name: None}), catalog=selecting("coupons"))
    assert output.counts == {"coupons": 1}


@pytest.mark.parametrize(
    ("setting", "expected"), [("STREAM_MAPS", "JSON"), ("FLATTENING_MAX_DEPTH", "a whole number")]
)
def test_a_damaged_environment_variable(
    monkeypatch: pytest.MonkeyPatch, setting: str, expected: str
) -> None:
    """The error names the variable."""
    variable = f"TAP_STRIPE_CONNECT_{setting}"
    monkeypatch.setenv(variable, "nonsense")
    with pytest.raises(TapError, match=f"{variable} is not {expected}"):
        TapStripeConnect(config={"api_key": SECRET}, parse_env_config=True)


def test_a_misspelt_setting_is_reported(stripe: Simulator, files: Files) -> None:
    """It has no effect, so a warning suggests the nearest name."""
    result = files.run(config=config_for(stripe, acount_ids=["acct_1Known"]))
    assert result.returncode == 0
    assert "Unknown setting acount_ids has no effect; did you mean account_ids?" in result.stderr


def test_a_server_that_never_answers(
    stripe: Simulator, monkeypatch: pytest.MonkeyPatch, give_up: Callable[[str, float], None]
) -> None:
    """The run fails after its timeouts, and the last STATE is complete."""
    give_up("/v1/charges", 0.2)
    monkeypatch.setattr(Client, "attempts", 2)
    monkeypatch.setattr(Client, "backoff", 0.01)
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.faults.add(Fault(match="/v1/charges", hang=True))
    output = run(config_for(stripe), catalog=selecting("coupons", "charges"))
    assert output.exit_code == 1
    assert output.counts == {"coupons": 1}
    assert set(output.state["bookmarks"]) == {"coupons"}

    def requested_sizes(requests: list[Request]) -> list[int]:
        found = [one.parameter("limit") for one in requests if "charges" in one.path]
        return sorted((int(size) for size in found if size), reverse=True)

    # The server may receive requests late and in any order after they timed out.
    expected = [100, 100, 50, 50, 25, 25, 10, 10, 1, 1]
    assert stripe.journal.wait_for(
        lambda requests: requested_sizes(requests) == expected, timeout=120
    )


@pytest.mark.parametrize("fault", [{"empty_page": True}, {"repeat_page": True}])
def test_a_list_that_never_ends(stripe: Simulator, fault: dict[str, bool]) -> None:
    """The missing progress is detected; this stream fails, the others go on."""
    bulk.load(stripe.world.platform, customers=250, start=NOW - 1000, until=NOW - 999)
    stripe.world.platform.create("coupon", {"id": "C"})
    stripe.faults.add(Fault(match="/v1/customers", **fault))  # type: ignore[arg-type]
    output = run(config_for(stripe), catalog=selecting("coupons", "customers"))
    assert output.exit_code == 1
    assert output.counts["coupons"] == 1
    followed = [one for one in stripe.journal.requests if one.parameter("starting_after")]
    assert len(followed) <= 2
    covered = output.state["bookmarks"].get("customers", {}).get("covered", [])
    unread = "2025-12-31T23:43:20+00:00"
    assert not any(start <= unread < end for start, end in covered)
