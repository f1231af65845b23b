"""Does the JSON Schema describe what the daemon takes?"""

from __future__ import annotations

from pydantic import TypeAdapter

from selfheal.agents import AGENT_KINDS
from selfheal.config.schema import Schema, schema
from selfheal.observe import CHECKS as CHECK_KINDS
from selfheal.recover import FIXES as BUILT_IN
from tests.pure.config_fakes import AGENTS, CHECKS, FIXES

SCHEMA = schema(AGENTS, CHECKS, FIXES)
TABLE: TypeAdapter[Schema] = TypeAdapter(Schema)


def part(*keys: str) -> Schema:
    here = SCHEMA
    for key in keys:
        here = TABLE.validate_python(here[key])
    return here


def references(here: object) -> list[str]:
    match here:
        case dict():
            own = [here["$ref"]] if isinstance(here.get("$ref"), str) else []
            return own + [ref for inner in here.values() for ref in references(inner)]
        case list():
            return [ref for inner in here for ref in references(inner)]
        case _:
            return []


def test_it_names_its_draft_and_every_reference_leads_somewhere() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {ref.removeprefix("#/$defs/") for ref in references(SCHEMA)} <= part("$defs").keys()


def test_the_top_has_every_table_and_nothing_else() -> None:
    assert part("properties").keys() == {
        "daemon", "agents", "fixes", "guard", "prevention", "history", "backup", "model", "notify",
    }  # fmt: skip
    assert SCHEMA["additionalProperties"] is False


def test_an_agent_and_a_check_may_be_of_any_kind() -> None:
    kinds = [f"#/$defs/{model.__name__}" for model in AGENTS.values()]
    assert part("$defs", "AgentConfig")["anyOf"] == [{"$ref": kind} for kind in kinds]
    checks = [f"#/$defs/{model.__name__}" for model in CHECKS.values()]
    assert part("$defs", "CheckConfig")["anyOf"] == [{"$ref": check} for check in checks]


def test_only_the_kind_that_a_command_means_may_go_without_its_name() -> None:
    assert part("$defs", "ProcessAgent")["required"] == ["command"]
    assert part("$defs", "ServiceAgent")["required"] == ["kind"]
    assert part("$defs", "TcpCheck")["required"] == ["tcp"]


def test_defaults_and_descriptions_are_there() -> None:
    kinds = {kind.name: kind.model for kind in AGENT_KINDS}, {kind.name: kind.model for kind in CHECK_KINDS}
    real = schema(*kinds, {fix.name: fix.settings for fix in BUILT_IN})
    for section, table in TABLE.validate_python(real["$defs"]).items():
        described = TABLE.validate_python(table)
        for name, field in TABLE.validate_python(described.get("properties", {})).items():
            facts = TABLE.validate_python(field)
            assert facts.get("description"), (section, name)
            assert "default" in facts or name in str(described["required"]), (section, name)


def test_durations_and_sizes_name_their_units() -> None:
    for model, key, unit in (("DaemonConfig", "stop_timeout", "seconds"), ("LogConfig", "max_size", "bytes")):
        ways = part("$defs", model, "properties", key)["anyOf"]
        assert unit in str(ways)
    assert part("$defs", "ProcessAgent", "properties", "instances")["default"] == 1
