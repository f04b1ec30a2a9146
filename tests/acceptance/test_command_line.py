"""The command line: `--test`, `--discover` into a pipe, and an output that cannot be written."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_stripe_connect.catalog import LISTED, STREAMS
from tap_stripe_connect.errors import TapError
from tap_stripe_connect.simulator import bulk
from tap_stripe_connect.simulator.faults import Fault
from tap_stripe_connect.tap import TapStripeConnect
from tests.support.harness import DAY, NOW, cli, config_for, parsed, selecting

if TYPE_CHECKING:
    from pathlib import Path

    from tap_stripe_connect.simulator.server import Simulator
    from tests.support.harness import Json

TAP = f"{sys.executable} -m tap_stripe_connect"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; the exit code is that of the first command of a pipe."""
    line = f"{command}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(  # noqa: S603 - our own program
        ["bash", "-c", line],  # noqa: S607
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )


def written(folder: Path, config: Json) -> str:
    """Write a config file and return its name."""
    file = folder / "config.json"
    file.write_text(json.dumps(config))
    return str(file)


def warning_lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines of a log above INFO, and those that are no log lines."""
    assert "Traceback" not in result.stderr
    return [line for line in result.stderr.splitlines() if " | INFO " not in line]


def test_a_connection_test_with_a_good_key_logs_no_warning(
    stripe: Simulator, tmp_path: Path
) -> None:
    """A schema for each stream, a record of each that has some, no state, no warning.

    Ten thousand charges are not read for it.
    """
    bulk.load(
        stripe.world.platform, charges=10_000, customers=3, start=NOW - 900 * DAY, until=NOW - DAY
    )
    config = written(tmp_path, config_for(stripe))
    result = cli("--config", config, "--test")
    assert (result.returncode, warning_lines(result)) == (0, [])
    assert f"passed; 2 of {len(STREAMS)} streams have records" in result.stderr
    messages = parsed(result.stdout.encode())
    schemas = [one["stream"] for one in messages if one["type"] == "SCHEMA"]
    assert sorted(schemas) == sorted(stream.name for stream in STREAMS)
    records = [one["stream"] for one in messages if one["type"] == "RECORD"]
    assert sorted(records) == ["charges", "customers"]
    assert len(messages) == len(schemas) + len(records)
    assert sum(one.path == "/v1/charges" for one in stripe.journal.requests) == 1


def test_a_connection_test_with_a_bad_key_is_one_line(stripe: Simulator, tmp_path: Path) -> None:
    """The error says what is wrong with the key, and nothing is written."""
    config = written(tmp_path, config_for(stripe, api_key="sk_test_51PlantedSecret"))
    result = cli("--config", config, "--test")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = warning_lines(result)
    assert "Invalid API Key provided" in line
    assert "check api_key" in line
    assert "PlantedSecret" not in line


@pytest.mark.parametrize(("setting", "code"), [("fail", 1), ("warn", 0)])
def test_a_connection_test_reports_what_a_key_may_not_read(
    stripe: Simulator,
    caplog: pytest.LogCaptureFixture,
    capsysbinary: pytest.CaptureFixture[bytes],
    setting: str,
    code: int,
) -> None:
    """A line for each denied stream, with the permission; the setting decides the exit code."""
    stripe.world.platform.create("coupon", {"id": "C"})
    allowed = ["rak_coupon_read", "rak_event_read", "rak_customer_read", "rak_plan_read"]
    stripe.world.add_key("rk_test_few", permissions=allowed)
    config = config_for(stripe, api_key="rk_test_few", on_permission_error=setting)
    tap = TapStripeConnect(config=config)
    if code:
        with pytest.raises(SystemExit, match="1"):
            tap.run_connection_test()
    else:
        assert tap.run_connection_test()
    records = [one for one in parsed(capsysbinary.readouterr().out) if one["type"] == "RECORD"]
    assert {one["stream"] for one in records} == {"coupons", "events"}
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    denied = {name for name, one in LISTED.items() if one.permission not in allowed}
    assert {line.partition(" of ")[0] for line in warnings} == denied
    assert all("rak_" in line for line in warnings)


def test_a_connection_test_changes_no_bookmark(stripe: Simulator) -> None:
    """Later runs do not depend on it."""
    stripe.world.platform.create("coupon", {"id": "C"})
    tap = TapStripeConnect(config=config_for(stripe))
    before = tap.bookmarks.state()
    tap.run_connection_test()
    assert tap.bookmarks.state()["bookmarks"] == before["bookmarks"] == {}


def test_a_connection_test_reads_further_accounts(
    stripe: Simulator, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A stream that is empty in one account gets its record from another; each is requested.

    Of a thousand accounts, ten are.
    """
    for number in range(15):
        stripe.world.add_account(f"acct_1N{number:02}")
    stripe.world.platform.create("customer", {"id": "cus_1"})
    stripe.world.accounts["acct_1N12"].create("coupon", {"id": "C"})
    config = config_for(stripe, all_connected_accounts=True)
    catalog = selecting("coupons", "customers")
    TapStripeConnect(config=config, catalog=catalog).run_connection_test()
    records = [one for one in parsed(capsysbinary.readouterr().out) if one["type"] == "RECORD"]
    assert {one["record"]["account_id"] for one in records} == {"acct_1Simulator", "acct_1N12"}
    requested_accounts = {
        one.account for one in stripe.journal.requests if one.path == "/v1/coupons"
    }
    assert len(requested_accounts) == 10


def test_discovery_can_be_piped_into_head() -> None:
    """If the reader closes the pipe, discovery ends without a message."""
    result = shell(f"{TAP} --discover | head -c 100")
    assert result.returncode == 1
    assert result.stdout.startswith('{\n  "streams"')
    assert warning_lines(result) == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("--discover >&-", "Error: stdout is closed, so there is nowhere to write the output"),
        (
            "--config CONFIG --test >&-",
            "Error: stdout is closed, so there is nowhere to write the output",
        ),
        ("--config CONFIG >&-", "Error: stdout is closed, so there is nowhere to write the output"),
        ("--discover > /dev/full", "the output cannot be written: No space left on device"),
        ("--config CONFIG --test > /dev/full", "the output cannot be written: No space left"),
        ("--config CONFIG --test | head -c 100", "the target has closed the pipe"),
        ("--config CONFIG 1< /dev/null", "the output cannot be written: Bad file descriptor"),
    ],
)
def test_an_output_that_cannot_be_written(
    stripe: Simulator, tmp_path: Path, options: str, line: str
) -> None:
    """One line reports it, the exit code is 1, and no option is named."""
    stripe.world.platform.create("coupon", {"id": "C"})
    config = written(tmp_path, config_for(stripe))
    result = shell(f"{TAP} {options.replace('CONFIG', config)}")
    assert result.returncode == 1
    errors = [one for one in warning_lines(result) if "ERROR" in one or one.startswith("Error")]
    assert len(errors) == 1
    assert line in errors[0]
    assert "--config" not in errors[0]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("option", ["--catalog", "--state"])
def test_a_number_that_json_does_not_have(
    stripe: Simulator, tmp_path: Path, option: str, number: str
) -> None:
    """The error names the option, the file and the number; no request is sent."""
    config = written(tmp_path, config_for(stripe))
    file = tmp_path / "numbers.json"
    file.write_text(f'{{"bookmarks": {{"others": {{"x": {number}}}}}}}')
    with pytest.raises(
        TapError, match=f"^{option}: .*numbers.json contains {number}, which is not"
    ):
        invoke("--config", config, option, str(file))
    assert stripe.journal.count() == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"api_key": "sk_test_1", "lag_seconds": NaN}', "contains NaN, which is not valid JSON"),
        ("[" * 100_000, "is not a JSON object; it may have been cut off"),
        ("[]", "is not a JSON object; it may have been cut off"),
        ("\xff", "is not a JSON object; it may have been cut off"),
    ],
    ids=["NaN", "deep", "list", "binary"],
)
def test_a_config_that_is_no_json(tmp_path: Path, content: str, reason: str) -> None:
    """The error names the option, the file and the reason."""
    file = tmp_path / "config.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(TapError) as failure:
        invoke("--config", str(file))
    assert str(failure.value) == f"--config: {file} {reason}"


@pytest.mark.parametrize("option", ["--catalog", "--state"])
def test_a_file_that_is_nested_too_deeply(tmp_path: Path, option: str) -> None:
    """It is reported like any damaged file."""
    config = written(tmp_path, {"api_key": "sk_test_1"})
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)
    with pytest.raises(TapError, match=f"^{option}: .*deep.json is not a JSON object"):
        invoke("--config", config, option, str(file))


def test_a_connection_test_reports_errors_of_settings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All at once, as in a sync, and without a request."""
    config = written(tmp_path, {"api_key": "sk_test_1", "lag_seconds": "x", "shard": "0/0"})
    assert invoke("--config", config, "--test") == 1
    errors = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert [line.partition(":")[0] for line in errors] == ["shard", "lag_seconds"]


def test_a_connection_test_requests_the_event_feed(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it later runs see no changes, whatever is selected."""
    stripe.world.add_key("rk_test_few", permissions=["rak_coupon_read"])
    config = config_for(stripe, api_key="rk_test_few")
    with pytest.raises(SystemExit, match="1"):
        TapStripeConnect(config=config, catalog=selecting("coupons")).run_connection_test()
    (line,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
    assert line.startswith("changes and deletions of acct_1Simulator cannot be read")
    assert "rak_event_read" in line


def test_an_account_that_is_gone_fails_a_connection_test_once(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It gets no further requests; the other accounts do."""
    stripe.world.add_account("acct_1Known").create("coupon", {"id": "C"})
    config = config_for(stripe, account_ids=["acct_1Gone", "acct_1Known"])
    with pytest.raises(SystemExit, match="1"):
        TapStripeConnect(config=config).run_connection_test()
    (line,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
    assert line.startswith("acct_1Gone could not be read")
    requested_accounts = [
        one.account for one in stripe.journal.requests if one.path != "/v1/account"
    ]
    assert requested_accounts.count("acct_1Gone") <= 1
    assert requested_accounts.count("acct_1Known") == len(LISTED)


def test_a_stream_that_fails_in_a_connection_test(
    stripe: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported as in a sync, and the test fails."""
    stripe.faults.add(
        Fault(match="/v1/charges", status=500, headers={"Stripe-Should-Retry": "false"})
    )
    with pytest.raises(SystemExit, match="1"):
        TapStripeConnect(config=config_for(stripe)).run_connection_test()
    (line,) = (one.getMessage() for one in caplog.records if one.levelname == "WARNING")
    assert line.startswith("charges of acct_1Simulator could not be read: ")


def invoke(*arguments: str) -> Any:
    """Run the command in this process; errors are raised, an exit code is returned."""
    return TapStripeConnect.cli.main(list(arguments), standalone_mode=False)
