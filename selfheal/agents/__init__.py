"""Which kinds of agent are there? One file a kind, one line here."""

from selfheal.agents.files import FILES
from selfheal.agents.json import JSON
from selfheal.agents.postgres import POSTGRES
from selfheal.agents.process import PROCESS
from selfheal.agents.render import RENDER
from selfheal.agents.service import SERVICE
from selfheal.agents.sqlite import SQLITE
from selfheal.kinds import AgentKind

AGENT_KINDS: tuple[AgentKind, ...] = (PROCESS, SERVICE, SQLITE, JSON, FILES, POSTGRES, RENDER)
