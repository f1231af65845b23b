"""What may stand in `selfheal.toml`, and what is the default of each key?

Pydantic models of everything that is not a kind of its own; the models of checks and agent kinds live with their
kind and derive from `CheckConfig` and `AgentConfig`. Durations are seconds, sizes bytes, once they are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from selfheal.config.address import Endpoint
from selfheal.config.data import BackupsConfig
from selfheal.config.healing import FixConfig as FixConfig
from selfheal.config.healing import GuardConfig as GuardConfig
from selfheal.config.healing import WindowConfig as WindowConfig
from selfheal.config.model import ModelConfig
from selfheal.config.notify import NotifyConfig as NotifyConfig
from selfheal.config.prevention import PreventionConfig
from selfheal.config.python import module_name, python_command
from selfheal.config.section import Section as Section
from selfheal.config.texts import Text
from selfheal.config.units import Address, Command, Count, Cron, Flag, Mask, Number, Place, Url, Zone
from selfheal.config.units import Duration as Duration
from selfheal.config.units import Size as Size
from selfheal.vocabulary import Mode, RestartPolicy, StandbyKind

ModuleName = Annotated[str, AfterValidator(module_name)]
MAX_INSTANCES = 1000  # of one agent; as many as the daemon is measured with


class DaemonConfig(Section):
    """The daemon itself. A reload takes intervals, canaries, stop_timeout, on_stop, journal_size,
    log_level; a restart the rest.
    """

    state_dir: Place = Field(
        Path("state"), description="Where the journal, the views and the logs live; SELFHEAL_STATE_DIR."
    )
    listen: Address = Field(
        "127.0.0.1:8787",
        description="host:port of the API and the page; SELFHEAL_LISTEN, and PORT gives 0.0.0.0:$PORT.",
    )
    self_healing_interval: Duration = Field(
        60.0, gt=0, description="A full sweep of every agent each so often; SELF_HEALING_INTERVAL."
    )
    prevention_interval: Duration = Field(
        300.0, gt=0, description="Prediction and planning each so often; PREVENTION_INTERVAL."
    )
    ml_retrain_interval: Duration = Field(
        3600.0,
        gt=0,
        description="ML_RETRAIN_INTERVAL; how often forests and what foretells failures are learned again (extra ml).",
    )
    render_mode: Flag = Field(False, description="RENDER_MODE; alerts to Telegram must be set up then.")
    chaos_enabled: Flag = Field(False, description="CHAOS_ENABLED; this version has no experiments.")
    stop_timeout: Duration = Field(10.0, gt=0, description="Bounds the whole stop; then trees are killed.")
    on_daemon_death: Literal["adopt", "kill"] = Field(
        "adopt", description="What becomes of agents when the daemon crashes."
    )
    on_stop: Literal["stop", "leave"] = Field("stop", description="What becomes of agents when the daemon is stopped.")
    journal_size: Size = Field(
        64_000_000, ge=1_000_000, description="Of what has happened so many bytes are kept; over it the oldest goes."
    )
    public_reads: Flag = Field(False, description="Reads need no token; control always does.")
    canaries: tuple[Address, ...] = Field(
        (),
        description="host:port of things elsewhere that hardly ever fail: while none of them answers, nor any other "
        "target that was well, the network is lost, and no agent is blamed.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged; SELFHEAL_LOG_LEVEL."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else json; SELFHEAL_LOG_FORMAT."
    )
    token: SecretStr | None = Field(None, description="SELFHEAL_TOKEN: opens reads and control.", exclude=True)
    scrape_token: SecretStr | None = Field(None, description="SELFHEAL_SCRAPE_TOKEN: opens /metrics.", exclude=True)
    gateway_url: Url | None = Field(
        None,
        description="SELFHEAL_GATEWAY_URL: what is known is pushed there, to a 'selfheal gateway', by https.",
    )
    gateway_token: SecretStr | None = Field(
        None, description="SELFHEAL_GATEWAY_TOKEN: what the gateway knows the daemon by.", exclude=True
    )

    @field_validator("token", "scrape_token", "gateway_token")
    @classmethod
    def _goes_into_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        token = value.get_secret_value().strip()  # the end of the line that a secret's file ends with
        if not token:
            raise ValueError("it is blank; set it to a secret, or unset it")
        if not (token.isascii() and token.isprintable()):
            raise ValueError("it holds what no header can carry; use letters, digits and signs of ASCII")
        return SecretStr(token)


class CheckConfig(Section):
    """What every check has, whatever it asks."""

    name: str = Field("", description="Shown instead of the kind; needed only to tell two checks of a kind apart.")
    interval: Duration = Field(10.0, gt=0, description="Asked each so often.")
    timeout: Duration = Field(5.0, gt=0, description="An answer that takes longer is a failure.")
    fall: Count = Field(3, ge=1, description="Failures in a row until unhealthy.")
    rise: Count = Field(2, ge=1, description="Successes in a row until healthy again.")
    within: Duration | None = Field(
        None, gt=0, description="The `fall` failures need not be in a row: so many within this time will do."
    )
    start_grace: Duration | None = Field(
        None,
        description="For so long after a start failures do not count, until the check has found the agent well once. "
        "Default: 30 s, and not once the agent is ready.",
    )

    def endpoint(self) -> Endpoint | None:
        """What it asks, where that is another host: silence may be the network's. Port 0 where there are no ports."""
        return None


class ReadyConfig(Section):
    """How a process says that it is ready: exactly one of the ways."""

    http: Url | None = Field(None, description="Ready when this URL answers with a status below 400.")
    tcp: Address | None = Field(None, description="Ready when host:port accepts.")
    command: Command | None = Field(None, description="Ready when this ends with 0.")
    file: Place | None = Field(None, description="Ready when this file exists and is newer than the start.")
    log: Text | None = Field(
        None, description="Ready when a line of its output contains this text, or matches /this regular expression/."
    )
    notify: Literal[True] | None = Field(None, description="true: ready when it sends READY=1 to $NOTIFY_SOCKET.")
    timeout: Duration = Field(30.0, gt=0, description="Not ready by then is a failed start.")

    @model_validator(mode="after")
    def _one_way(self) -> ReadyConfig:
        ways = [way for way in type(self).model_fields if way != "timeout" and getattr(self, way) is not None]
        if len(ways) != 1:
            known = ", ".join(way for way in type(self).model_fields if way != "timeout")
            raise ValueError(f"it has {len(ways)} ways to be ready; write exactly one of {known}")
        return self


class StopConfig(Section):
    """How a process is asked to end."""

    signal: Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"] = Field(
        "TERM", description="The signal that asks."
    )
    timeout: Duration = Field(10.0, description="After so long KILL, to the whole process group.")
    dump: Literal["ABRT", "QUIT", "USR1", "USR2"] | None = Field(
        None,
        description="Sent first where it hangs, for its stack in its log (Python's faulthandler, Go).",
    )


class LimitsConfig(Section):
    """What a process may use, and what prediction extrapolates to."""

    memory: Size | None = Field(
        None,
        description="Resident memory of the whole tree; over it the agent is unhealthy and is restarted. "
        "Held by the system too, as memory.max, where a cgroup v2 is given to selfheal.",
    )
    fds: Annotated[Count, Field(gt=8)] | None = Field(
        None, description="Open files: RLIMIT_NOFILE, held by the system."
    )
    cpu: Annotated[Number, Field(gt=0)] | None = Field(
        None,
        description="Cores: held by the system, as cpu.max, where a cgroup v2 is given to selfheal; else only shown.",
    )


class LogConfig(Section):
    """Where the output of a process goes."""

    file: Place | None = Field(None, description="Default: logs/<agent>.log in the state directory.")
    max_size: Size = Field(20_000_000, description="Rotated when larger.")
    keep: Count = Field(5, ge=0, le=100, description="Rotated files that are kept.")


class SignalConfig(Section):
    """The user's own numbers, scraped in Prometheus' text format."""

    prometheus: Url = Field(description="URL of the exporter.")
    take: tuple[str, ...] = Field((), description="Names of the series to keep; none given keeps all.")
    interval: Duration = Field(15.0, gt=0, description="Scraped each so often.")
    limits: dict[str, Number] = Field(
        {}, description="What a series may reach, by its name: the time left until then is foreseen, and told."
    )


class AgentConfig(Section):
    """What every agent has, whatever its kind."""

    kind: str = Field(description="process | service; a command alone means process.")
    depends_on: tuple[str, ...] = Field((), description="Started after these are ready; looked at first in an outage.")
    checks: tuple[SerializeAsAny[CheckConfig], ...] = Field((), description="How its health is asked for.")
    signals: tuple[SignalConfig, ...] = Field((), description="The user's own numbers.")
    fixes: tuple[str, ...] = Field((), description="Names of [fixes.*] that may be applied to it, for any cause.")
    healing: dict[str, SerializeAsAny[Section]] = Field(
        {}, description="What else may be done to heal it: a table for each fix that has to be told something."
    )
    modes: dict[str, Mode] = Field(
        {}, description="By fix, '*' for all: auto | ask a person first | suggest only | off. Before those of [guard]."
    )
    version: str = Field(
        "", description="Which version of it runs, such as a commit: with another one less of what was learned counts."
    )


class HistoryConfig(Section):
    """What is kept of the signals on the disk, and for how long: points, then minutes, then hours of them."""

    max_size: Size = Field(
        200_000_000, ge=1_000_000, description="All of it together; over it the oldest goes, points before minutes."
    )
    raw: Duration = Field(21_600.0, ge=3600, description="Each point is kept for so long.")
    minutes: Duration = Field(604_800.0, ge=3600, description="What each minute was is kept for so long.")
    hours: Duration = Field(7_776_000.0, ge=86_400, description="What each hour was is kept for so long.")


class Config(Section):
    """Everything in force. `agents` is by full name, instances expanded, in the order of the file."""

    daemon: DaemonConfig = Field(DaemonConfig(), description="The daemon itself.")
    agents: dict[str, SerializeAsAny[AgentConfig]] = Field({}, description="What is watched and healed, by name.")
    fixes: dict[str, FixConfig] = Field({}, description="Fixes of the user's own, by name.")
    guard: GuardConfig = Field(GuardConfig(), description="What holds the healer back.")
    prevention: PreventionConfig = Field(PreventionConfig(), description="What is done before a failure.")
    history: HistoryConfig = Field(HistoryConfig(), description="What is kept of the signals, and for how long.")
    backup: BackupsConfig = Field(BackupsConfig(), description="Where backups are kept, and what else gets them.")
    model: ModelConfig = Field(ModelConfig(), description="The language model that helps to find causes.")
    notify: NotifyConfig = Field(NotifyConfig(), description="Where alerts go besides the log and the page.")


class ProcessConfig(Section):
    """The part of an agent that is a child process of ours. Kinds that run one mix it in."""

    command: Command = Field(description="A list, or a string split as a shell splits words; no shell is started.")
    directory: Path = Field(Path(), description="Working directory, from the file's folder.")
    environment: dict[str, str] = Field({}, description="Added to, and stronger than, what the daemon has.")
    environment_file: Place | None = Field(None, description="KEY=VALUE lines; weaker than `environment`.")
    user: str | None = Field(None, description="Run as this user.")
    nice: Annotated[Count, Field(ge=-20, le=19)] | None = Field(
        None, description="Priority, from -20 (first) to 19 (last); below the daemon's own only root may go."
    )
    umask: Mask | None = Field(None, description="What new files are not allowed, in octal: '027'.")
    restart: RestartPolicy = Field(
        "always", description="always | on-failure | never. Of a oneshot on-failure, of a scheduled agent never."
    )
    oneshot: Flag = Field(False, description="It runs to its end: 0 is done, and those that depend on it start then.")
    timeout: Duration | None = Field(
        None, gt=0, description="Of a oneshot or scheduled agent: what runs longer is ended, and has failed."
    )
    autostart: Flag = Field(
        True, description="false: it is not started with the fleet, but by a person, or to stand in for another."
    )
    schedule: Cron | None = Field(None, description="Run to its end at these times, in five fields; never two at once.")
    timezone: Zone = Field("UTC", description="Time zone of the schedule.")
    overlap: Literal["skip", "kill"] = Field(
        "skip", description="What is done when the last run still runs: the new one is left out, or the old one ended."
    )
    catch_up: Flag = Field(
        False, description="true: times missed while the daemon was down are made up for, by one run."
    )
    ready: ReadyConfig | None = Field(None, description="Default: its own checks; with none, alive for a moment.")
    stop: StopConfig = Field(StopConfig(), description="How it is asked to end.")
    limits: LimitsConfig = Field(LimitsConfig(), description="What it may use.")
    instances: Count = Field(
        1,
        ge=1,
        le=MAX_INSTANCES,
        description="With more than one, names are name:0, name:1, …; scaling changes the number.",
    )
    log: LogConfig = Field(LogConfig(), description="Where its output goes.")
    standby: StandbyKind | None = Field(
        None, description="spare | zygote: a Python program's next run waits with its imports done."
    )
    standby_imports: tuple[ModuleName, ...] = Field(
        (), description="Modules that a standby imports; default: what the program imports from elsewhere."
    )

    @model_validator(mode="after")
    def _can_stand_by(self) -> ProcessConfig:
        if self.standby is not None and python_command(self.command) is None:
            raise ValueError(
                f"standby = {self.standby!r} needs a command that runs a Python script or module; "
                f"write it as ['python3', 'script.py'] or ['python3', '-m', 'module'], or remove standby"
            )
        if self.standby is None and self.standby_imports:
            raise ValueError("standby_imports is of no use without standby; add standby = 'spare', or remove it")
        return self

    @field_validator("environment")
    @classmethod
    def _names_of_variables(cls, value: dict[str, str]) -> dict[str, str]:
        bad = next((name for name in value if not name or "=" in name), None)
        if bad is not None:
            raise ValueError(f"{bad!r} cannot be the name of a variable; write a name that has no '='")
        return value

    @model_validator(mode="after")
    def _runs_to_its_end(self) -> ProcessConfig:
        """What a run to the end changes, and what makes no sense without one."""
        if not self.ends:
            alone = dict.fromkeys(("timezone", "overlap", "catch_up"), "schedule") | {"timeout": "oneshot"}
            for key in self.model_fields_set & alone.keys():
                raise ValueError(f"{key!r} means nothing here; add {alone[key]!r}, or take it out")
            return self
        if "restart" not in self.model_fields_set:
            object.__setattr__(self, "restart", "never" if self.schedule else "on-failure")  # else it is frozen
        if self.restart == "always":
            raise ValueError("what runs to its end is not started again after it; set restart to on-failure or never")
        if self.ready is not None:
            raise ValueError("what runs to its end is ready when it has ended; take 'ready' out")
        if self.standby is not None:
            raise ValueError("what runs to its end has no next run to wait for; take 'standby' out")
        return self

    @property
    def ends(self) -> bool:
        """Whether a run of it comes to its end by itself, and that is what it is for."""
        return self.oneshot or self.schedule is not None


def process_of(agent: Section) -> ProcessConfig | None:
    """The process that an agent of any kind is, or None where it is none of ours."""
    return agent if isinstance(agent, ProcessConfig) else None
