"""A Meltano project with our tap, and a target that keeps the messages."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.connect.console import Place

ROOT = Path(__file__).parents[2]
MELTANO = ROOT / ".venv" / "meltano" / "bin" / "meltano"
TAP = Path(sys.executable).with_name("tap-stripe-connect")
TARGET = f"""#!{sys.executable}
import json, sys
with open("rows.jsonl", "w") as file:
    for line in sys.stdin:
        file.write(line)
        message = json.loads(line)
        if message["type"] == "STATE":
            print(json.dumps(message["value"]), flush=True)
"""
# Comes with the Singer SDK, but without types.
yaml: Any = import_module("yaml")


def meltano_project(place: Place, loader: str, tap: Path = TAP) -> None:
    """Turn a place into a project like that of the repository, with nothing to install."""
    target = place.folder / "target"
    target.write_text(TARGET)
    target.chmod(0o755)
    content = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
    (extractor,) = content["plugins"]["extractors"]
    del extractor["pip_url"]
    extractor["executable"] = str(tap)
    filepath = {"name": "filepath", "kind": "string"}
    content["plugins"]["loaders"] = [
        {
            "name": loader,
            "namespace": loader.replace("-", "_"),
            "executable": str(target),
            "settings": [filepath],
        }
    ]
    (place.folder / "meltano.yml").write_text(yaml.safe_dump(content))
    (place.folder / ".env").write_text(
        f"# of the simulator\nTAP_STRIPE_CONNECT_API_URL='{place.stripe.url}'\n"
    )
    (place.folder / "config.json").unlink()
    place.environ["NO_COLOR"] = "1"
