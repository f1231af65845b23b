"""Which kinds of check are there? One file a kind, one line here."""

from selfheal.kinds import CheckKind
from selfheal.observe.command import COMMAND
from selfheal.observe.data import DATA
from selfheal.observe.disk import DISK
from selfheal.observe.dns import DNS
from selfheal.observe.files import FILE
from selfheal.observe.grpc import GRPC
from selfheal.observe.heartbeat import HEARTBEAT
from selfheal.observe.http import HTTP
from selfheal.observe.icmp import ICMP
from selfheal.observe.postgres import POSTGRES
from selfheal.observe.process import PROCESS
from selfheal.observe.prometheus import PROMETHEUS
from selfheal.observe.redis import REDIS
from selfheal.observe.render import RENDER
from selfheal.observe.tcp import TCP
from selfheal.observe.tls import TLS
from selfheal.observe.websocket import WEBSOCKET

CHECKS: tuple[CheckKind, ...] = (
    HTTP, TCP, TLS, DNS, ICMP, GRPC, WEBSOCKET, REDIS, POSTGRES, PROMETHEUS, COMMAND, HEARTBEAT, FILE, DISK, PROCESS,
    DATA, RENDER,
)  # fmt: skip
