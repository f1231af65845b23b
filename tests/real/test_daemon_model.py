"""Does a daemon ask a language model where it should, say what came of it, and keep the key to itself?

The makers' packages are stood in for, in the process that asks; what is behind them is real HTTP.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.real.daemon_process import House, free_port, house, until
from tests.real.model_fake import KEY, Counterpart, counterpart

STAND_INS = str(Path(__file__).parent / "model_sdks")
# It answers wrong, and says that something refuses to talk to it: it may be the one, and it may be the other.
UNSURE = """
import http.server
print("connect to cache: Connection refused", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503)
        self.end_headers()
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""
FLEET = """
[guard]
verify = 1

[agents.api]
command = [{{python}}, "api.py"]
ready = {{ tcp = "127.0.0.1:{port}" }}
checks = [{{ http = "http://127.0.0.1:{port}/", interval = 0.3, fall = 2 }}]
"""


def troubled(place: House, more: str = "") -> None:
    """Boot a daemon over an agent that fails."""
    port = free_port()
    (place.folder / "api.py").write_text(UNSURE.replace("{port}", str(port)))
    place.boot(FLEET.format(port=port) + more)
    until(lambda: place.incidents("api"), what=lambda: place.log)


def asked(place: House) -> list[tuple[str, str]]:
    """Which provider was asked, and what came of it."""
    told = [one for incident in place.incidents("api") for one in incident.parts("opinions")]
    return [(one.text("provider"), one.text("outcome")) for one in told]


def with_keys(known: Counterpart, *providers: str) -> dict[str, str]:
    bases = {"ANTHROPIC": known.url, "OPENAI": f"{known.url}/v1"}
    keys = {f"{one}_API_KEY": KEY for one in providers}
    return {"PYTHONPATH": STAND_INS, **keys, **{f"{one}_BASE_URL": bases[one] for one in providers}}


def test_its_opinion_is_asked_for_counted_and_told_and_the_key_is_nowhere() -> None:
    with counterpart() as known, house(**with_keys(known, "ANTHROPIC")) as place:
        troubled(place)
        until(lambda: asked(place) == [("anthropic", "ok")], what=lambda: (asked(place), known.wrong))
        assert "a language model (" in place.say("why", "api").out
        metrics = httpx.get(f"http://127.0.0.1:{place.port}/metrics", timeout=5.0).text
        assert 'selfheal_llm_requests_total{outcome="ok",provider="anthropic"} 1.0' in metrics
        assert "selfheal_llm_tokens_total 760.0" in metrics
        model = place.get("rca").part("model")
        assert model.count("tokens_last_hour") == 760
        maps = Path(f"/proc/{place.daemon.pid}/maps").read_text()
        assert "model_sdks" not in maps
        place.stop()
        assert known.wrong == []
        assert len(known.asked) == 1
        written = [file.read_bytes() for file in place.folder.rglob("*") if file.is_file()]
        assert not any(KEY.encode() in content for content in written)


def test_the_other_provider_is_asked_where_the_first_fails() -> None:
    with counterpart("500", "500", "good") as known, house(**with_keys(known, "ANTHROPIC", "OPENAI")) as place:
        troubled(place)
        until(lambda: len(asked(place)) == 2, what=lambda: asked(place))
        assert asked(place) == [("anthropic", "error"), ("openai", "ok")]


@pytest.mark.parametrize(
    ("environment", "more", "why"),
    [
        ({}, "", "no model key is set"),
        ({"OPENAI_API_KEY": KEY}, "", "its package is not installed"),
        ({"OPENAI_API_KEY": "two words", "PYTHONPATH": STAND_INS}, "", "holds what no header can carry"),
        (
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://elsewhere.example/v1", "PYTHONPATH": STAND_INS}, "",
            "is no address for a key",
        ),
        ({"OPENAI_API_KEY": KEY, "PYTHONPATH": STAND_INS}, "[model]\nenabled = false\n", "model.enabled is false"),
    ],
)  # fmt: skip
def test_why_none_is_asked_is_said_in_one_line(environment: dict[str, str], more: str, why: str) -> None:
    with house(**environment) as place:
        place.boot(f'{more}\n[agents.bot]\ncommand = ["sleep", "1000"]\n')
        (said,) = place.logged("diagnosis.rules")
        assert why in said.text("why")
        assert KEY not in place.log
