"""Which kinds of check are there? One file a kind, one line here."""

from selfheal.kinds import CheckKind
from selfheal.observe.command import COMMAND
from selfheal.observe.disk import DISK
from selfheal.observe.dns import DNS
from selfheal.observe.files import FILE
from selfheal.observe.heartbeat import HEARTBEAT
from selfheal.observe.http import HTTP
from selfheal.observe.icmp import ICMP
from selfheal.observe.process import PROCESS
from selfheal.observe.prometheus import PROMETHEUS
from selfheal.observe.tcp import TCP
from selfheal.observe.tls import TLS

CHECKS: tuple[CheckKind, ...] = (
    HTTP, TCP, TLS, DNS, ICMP, COMMAND, HEARTBEAT, FILE, PROCESS, PROMETHEUS, DISK,
)  # fmt: skip
