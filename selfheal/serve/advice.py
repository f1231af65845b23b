"""What would keep a trouble from coming back, and which setting would have let more be done about it?

Sentences for people, by cause and by guard. Plain facts: what is in force for an agent is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping

from selfheal.vocabulary import GuardCode

# By cause: what to do about it, beside healing it each time. Every slug of the vocabulary has its line.
ADVICE: Mapping[str, str] = {
    "port_taken": "Give the port to one program alone; 'ss -ltnp' shows who holds it. A helper that outlives its agent "
    "should close what it inherited.",
    "disk_full": "Make room or add it, rotate what grows, and watch the disk with a check of kind `disk`, which warns "
    "before it is full.",
    "bad_configuration": "Let the program check its configuration before it is put in place, and put back the last one "
    "that worked.",
    "missing_module": "Install what the program imports into the environment that its command names, from a lock file.",
    "missing_variable": "Set the variable under `environment`, or in the file that `environment_file` names.",
    "missing_program": "Write the whole path of the program as the command, and make its installation part of the "
    "deployment.",
    "permission": "Give the `user` of the agent the right to what it needs, or a place and a port that it may use.",
    "out_of_memory": "Find what grows: a leak is only put off by a higher limit. Set `limits.memory`, so that it is "
    "foreseen and renewed in good time.",
    "out_of_fds": "Find what is opened and never closed ('ls -l /proc/PID/fd'). Set `limits.fds`, so that it is "
    "foreseen and renewed in good time.",
    "dependency_down": "Name what it needs under `depends_on`, and let it wait and try again by itself where that does "
    "not answer.",
    "hung": "Read the stack that `stop.dump` brought into its log, and give calls to the outside a time-out. "
    "A `heartbeat` finds a hang soonest.",
    "slow": "Look at its load and its dependencies at that time ('/observability/history'); more `instances` may share "
    "the work.",
    "wrong_answer": "Compare what it said with what the check expects; 'selfheal logs AGENT' has what it wrote then.",
    "killed": "Find who sent the signal: the kernel's log names the out-of-memory killer, a shell's history the rest.",
    "crashed": "Its last lines before the end tell where; 'selfheal logs AGENT' shows them. Mend what raised it.",
    "exited": 'A program that has done its work is a job: say `kind` or `schedule` so, or `restart = "on-failure"`.',
    "unreachable": "Check address, name and firewall from this machine; where selfheal itself may be offline, "
    "`daemon.canaries` tells it apart.",
    "stale": "Look at what should write it anew, and when that last ran; a check of its own finds that sooner.",
    "corrupted": "Check disk and memory of the machine, and who else writes there; more frequent backups lose less.",
    "torn_tail": "Let the program write whole lines and sync them, or write beside and rename; a crash cuts what is "
    "half written.",
    "missing_data": "Find who removes it: a clean-up job, a deployment, a mount that is not there. More frequent "
    "backups lose less.",
    "schema_broken": "Let migrations and programs be deployed in the order that fits, and try them on a copy first.",
    "wal_grown": "Look for a reader that never ends its transaction: it keeps the log from being taken over.",
    "locked": "Keep transactions short, and set a time-out for locks in every program that uses the data.",
    "replica_behind": "Compare the load of the primary with the disk and the network of the replica.",
    "bad_deploy": "Let the checks of the repository run before a deploy (`autoDeployTrigger: checksPass`), and revert "
    "what was deployed: a rollback is undone by the next push.",
    "deploy_stuck": "Read the log of that deploy: a build that waits for input, or an instance that never opens its "
    "port, goes on until Render gives it up.",
    "suspended": "Find who suspended it and why, in the dashboard of the platform; nothing else starts it again.",
    "already_running": "Let each token, lock file or session be used by one process alone; a deploy that overlaps the "
    "old one passes by itself.",
    "incompatible": "Pin every version in a lock file, and update one thing at a time.",
    "memory_leak": "Take a profile of its heap twice, an hour apart, and compare. Set `limits.memory`, so "
    "that it is renewed in good time.",
    "fd_leak": "Close what is opened, also where an error comes in between (`with`, `finally`). Set "
    "`limits.fds`, so that it is renewed in good time.",
    "out_of_processes": "Bound the workers and threads that it starts, and wait for those that have "
    "ended; pids.max of its cgroup is the limit.",
    "pool_exhausted": "Give connections back also where an error comes in between, and keep all pools together "
    "below what the server takes.",
    "cpu_starved": "Give it a share of the processor of its own, or move what competes with it elsewhere.",
    "log_flood": "Mend what the repeated line is about, and let the program say such a thing once a minute.",
    "traffic_surge": "Bound what is taken at once and refuse the rest early; `healing.scale_up` may share the work.",
    "queue_backlog": "Watch the length of the queue with a check, so that more workers come in time.",
    "slow_dependency": "Give each call to it a time-out, and bound how many wait for it at once.",
    "network_loss": "Watch the way there with an `icmp` check of the next hop, which shows where it breaks.",
    "dns_failed": "Name two resolvers, and watch the name with a `dns` check.",
    "tls_expired": "Let certificates be renewed by a timer, and set `expires_in` of a check to be told in time.",
    "tls_untrusted": "Let the server send its whole chain, for the name by which it is asked, and keep the CA bundle "
    "here up to date.",
    "credential_expired": "Write the new secret where the program reads it, and note down when it expires.",
    "rate_limited": "Ask less often, keep answers for a while, and wait as long as it is told (`Retry-After`).",
    "quota_exhausted": "Raise the plan or wait for the next period, and let the program live without that service.",
    "external_api_down": "Let the program live without it for a while, or with another provider.",
    "clock_skew": "Let chrony or systemd-timesyncd set the clock; 'timedatectl' shows whether it is in step.",
    "host_problem": "Move what runs there to another machine before it fails for good, and have this one looked at.",
    "read_only": "Let the program find the primary by a name that follows it, and connect anew after a refusal.",
    "unknown": "Nothing pointed at a cause. A check that looks closer, or a log that says more, would find one next "
    "time.",
}

# By guard: the settings that make it hold back sooner or later, as far as there are any.
SETTINGS: Mapping[GuardCode, str] = {
    "maintenance": "`guard.maintenance`",
    "paused": "`selfheal resume`",
    "storm": "`guard.storm` and `guard.storm_floor`",
    "dry_run": "`guard.dry_run`",
    "mode": "`modes` of the agent, `guard.modes` and `guard.shadow`",
    "concurrency": "`guard.max_concurrent_recoveries`",
    "agent_budget": "`guard.acts_per_agent`",
    "fix_budget": "`guard.acts_per_fix`",
    "fleet_budget": "`guard.acts_per_hour`",
    "cooldown": "`guard.cooldown`",
    "breaker": "`guard.attempts_per_hour`, and `selfheal start` closes it",
    "policy": "`restart` of the agent",
    "rejected": "the answer of the person who was asked",
    "approval": "`modes` of the agent, and `approval` of a fix of your own",
}
