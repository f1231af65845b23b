"""Which kinds of check are there? One file a kind, one line here."""

from selfheal.kinds import CheckKind
from selfheal.observe.command import COMMAND
from selfheal.observe.files import FILE
from selfheal.observe.grpc import GRPC
from selfheal.observe.heartbeat import HEARTBEAT
from selfheal.observe.http import HTTP
from selfheal.observe.postgres import POSTGRES
from selfheal.observe.process import PROCESS
from selfheal.observe.redis import REDIS
from selfheal.observe.tcp import TCP
from selfheal.observe.websocket import WEBSOCKET

CHECKS: tuple[CheckKind, ...] = (
    HTTP,
    TCP,
    GRPC,
    WEBSOCKET,
    REDIS,
    POSTGRES,
    COMMAND,
    HEARTBEAT,
    FILE,
    PROCESS,
)
