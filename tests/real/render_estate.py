"""What lies behind the API of a Render.com in miniature: services with instances, and deploys that take their steps."""

from __future__ import annotations

from dataclasses import dataclass, field

from selfheal.clock import Clock

ENDED = frozenset({"live", "deactivated", "build_failed", "update_failed", "canceled", "pre_deploy_failed"})


@dataclass
class Deploy:
    """A deploy and the steps that are still before it, each with the time at which it begins."""

    id: str
    commit: str
    trigger: str
    created: float
    status: str = "created"
    steps: list[tuple[float, str]] = field(default_factory=list)
    finished: float = 0.0


@dataclass
class Service:
    """A service. What was deployed of a commit in `bad`, or `crashes`, fails every `crash_s`."""

    id: str
    kind: str = "web_service"
    suspenders: list[str] = field(default_factory=list)
    count: int = 1
    autoscaling: bool = False
    disk: bool = False
    instances: list[tuple[str, float]] = field(default_factory=list)
    deploys: list[Deploy] = field(default_factory=list)
    events: list[tuple[float, str, dict[str, object]]] = field(default_factory=list)
    crashes: bool = False
    bad: set[str] = field(default_factory=set)
    crash_s: float = 20.0
    crashed_at: float = 0.0
    restarting_until: float = 0.0
    vanishes_while_deployed: bool = False

    @property
    def live(self) -> Deploy | None:
        return next((one for one in self.deploys if one.status == "live"), None)

    @property
    def serves(self) -> bool:
        live = self.live
        good = live is not None and live.commit not in self.bad and not self.crashes
        return good and bool(self.instances) and not self.suspenders


@dataclass
class Store:
    """A PostgreSQL or a Key Value."""

    id: str
    status: str = "available"
    suspenders: list[str] = field(default_factory=list)
    standby: bool = False
    available_at: float = 0.0


@dataclass
class Estate:
    """All that is at Render. What a restart, a build and an update take is in seconds."""

    clock: Clock
    restart_s: float = 5.0
    build_s: float = 30.0
    update_s: float = 10.0
    services: dict[str, Service] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    metrics: dict[tuple[str, str], list[tuple[dict[str, str], float, str]]] = field(default_factory=dict)
    """By the path of the metric and the resource: further labels, value and unit of each series."""
    logs: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """By resource, when and what it has written."""
    ids: int = 0

    # --- what there is ---

    def add(self, service: Service, *commits: str) -> Service:
        """A service to which these commits were deployed, long ago, the last of them live."""
        self.services[service.id] = service
        for number, commit in enumerate(commits):
            at = self.clock.now() - 86_400.0 * (len(commits) - number)
            done = Deploy(self.new_id("dep"), commit, "new_commit", at, "deactivated", [], at + 60.0)
            service.deploys.insert(0, done)
        if service.deploys:
            service.deploys[0].status = "live"
            service.instances = [(self.new_id("srv-i"), self.clock.now() - 3600.0) for _ in range(service.count)]
        return service

    def push(self, service: Service, commit: str, trigger: str = "new_commit", fails: str = "") -> Deploy:
        """Begin a deploy; `fails` is how it ends instead of live."""
        now = self.clock.now()
        steps = [(now, "build_in_progress"), (now + self.build_s, "update_in_progress")]
        end = fails or "live"
        steps.append((now + self.build_s + self.update_s, end))
        deploy = Deploy(self.new_id("dep"), commit, trigger, now, "created", steps)
        service.deploys.insert(0, deploy)
        service.events.append((now, "deploy_started", {"deployId": deploy.id, "trigger": {"firstBuild": False}}))
        if service.vanishes_while_deployed:
            service.instances = []
        return deploy

    def pass_time(self) -> None:
        """Let everything become what it is by now."""
        now = self.clock.now()
        for service in self.services.values():
            for deploy in service.deploys:
                self._take_steps(service, deploy, now)
            if service.restarting_until and now >= service.restarting_until:
                self.start_anew(service, service.restarting_until)
                service.events.append((service.restarting_until, "server_restarted", {"triggeredByUser": None}))
                service.restarting_until = 0.0
            self._crash(service, now)
        for store in self.stores.values():
            if store.available_at and now >= store.available_at:
                store.status, store.available_at = "available", 0.0

    def _take_steps(self, service: Service, deploy: Deploy, now: float) -> None:
        while deploy.steps and deploy.steps[0][0] <= now:
            at, deploy.status = deploy.steps.pop(0)
            if deploy.status in ENDED:
                deploy.finished = at
                service.events.append(
                    (
                        at,
                        "deploy_ended",
                        {"deployId": deploy.id, "reason": {}, "status": 2, "deployStatus": "succeeded"},
                    )
                )
            if deploy.status == "live":
                for other in service.deploys:
                    if other is not deploy and other.status == "live":
                        other.status = "deactivated"
                self.start_anew(service, at)

    def start_anew(self, service: Service, at: float) -> None:
        service.instances = [(self.new_id("srv-i"), at) for _ in range(service.count)]
        service.crashed_at = at

    def _crash(self, service: Service, now: float) -> None:
        live = service.live
        if not (service.crashes or (live is not None and live.commit in service.bad)) or not service.instances:
            return
        service.crashed_at = max(service.crashed_at, now - 600.0)
        while service.crashed_at + service.crash_s <= now:
            service.crashed_at += service.crash_s
            service.events.append(
                (service.crashed_at, "server_failed", {"reason": {"evicted": False, "nonZeroExit": 1}})
            )

    def new_id(self, kind: str) -> str:
        self.ids += 1
        return f"{kind}-{self.ids:04d}"
