"""How the logs of real programs end, several lines long, each with the cause that a careful person reads from it."""

# ruff: noqa: E501 - lines are as long as they are

from __future__ import annotations

from textwrap import dedent

from tests.pure.tails_of_services import OF_SERVICES

_RAW: tuple[tuple[str, str], ...] = (
    # --- Python bots ---
    (
        "already_running",
        """
        2026-11-24 03:12:50,114 - httpx - INFO - HTTP Request: POST https://api.telegram.org/bot1:x/getUpdates "HTTP/1.1 409 Conflict"
        2026-11-24 03:12:50,118 - telegram.ext.Application - ERROR - No error handlers are registered, logging exception.
        Traceback (most recent call last):
          File "/srv/bot/.venv/lib/python3.11/site-packages/telegram/ext/_updater.py", line 743, in _network_loop_retry
            if not await do_action():
        telegram.error.Conflict: Conflict: terminated by other getUpdates request; make sure that only one bot instance is running
        """,
    ),
    (
        "credential_expired",
        """
        2026-11-24 03:12:50 INFO bot: starting
        Traceback (most recent call last):
          File "/srv/bot/main.py", line 22, in <module>
            application.run_polling()
          File "/srv/bot/.venv/lib/python3.11/site-packages/telegram/ext/_extbot.py", line 240, in initialize
            await super().initialize()
        telegram.error.InvalidToken: The token `1234:AAE` was rejected by the server.
        """,
    ),
    (
        "rate_limited",
        """
        2026-11-24 03:12:50 INFO sending digest to 4100 chats
        Traceback (most recent call last):
          File "/srv/bot/digest.py", line 61, in send_all
            await bot.send_message(chat, text)
        telegram.error.RetryAfter: Flood control exceeded. Retry in 41 seconds
        """,
    ),
    (
        "credential_expired",
        """
        2026-11-24 03:12:50 INFO     discord.client logging in using static token
        Traceback (most recent call last):
          File "/srv/bot/bot.py", line 90, in <module>
            client.run(TOKEN)
          File "/srv/bot/.venv/lib/python3.11/site-packages/discord/http.py", line 803, in static_login
            data = await self.request(Route('GET', '/users/@me'))
        discord.errors.HTTPException: 401 Unauthorized (error code: 0): 401: Unauthorized

        The above exception was the direct cause of the following exception:

        discord.errors.LoginFailure: Improper token has been passed.
        """,
    ),
    (
        "bad_configuration",
        """
          File "/srv/bot/.venv/lib/python3.11/site-packages/discord/client.py", line 777, in connect
            raise PrivilegedIntentsRequired(exc.shard_id) from None
        discord.errors.PrivilegedIntentsRequired: Shard ID None is requesting privileged intents that have not been explicitly enabled in the developer portal.
        """,
    ),
    (
        "missing_variable",
        """
        Traceback (most recent call last):
          File "/srv/bot/main.py", line 9, in <module>
            TOKEN = os.environ["BOT_TOKEN"]
                    ~~~~~~~~~~^^^^^^^^^^^^^
          File "<frozen os>", line 685, in __getitem__
        KeyError: 'BOT_TOKEN'
        """,
    ),
    (
        "missing_variable",
        """
        pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings
        database_url
          Field required [type=missing, input_value={}, input_type=dict]
            For further information visit https://errors.pydantic.dev/2.9/v/missing
        bot_token
          Field required [type=missing, input_value={}, input_type=dict]
        """,
    ),
    (
        "dns_failed",
        """
          File "/usr/lib/python3.11/asyncio/base_events.py", line 863, in getaddrinfo
            return await self.run_in_executor(
        socket.gaierror: [Errno -3] Temporary failure in name resolution

        The above exception was the direct cause of the following exception:

        aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host api.example:443 ssl:default [Temporary failure in name resolution]
        """,
    ),
    (
        "dependency_down",
        """
        2026-11-24 03:12:49 INFO worker: connecting to the cache
        Traceback (most recent call last):
          File "/srv/worker/.venv/lib/python3.11/site-packages/redis/connection.py", line 357, in connect
            raise ConnectionError(self._error_message(e))
        redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:6379. Connection refused.
        """,
    ),
    (
        "pool_exhausted",
        """
          File "/srv/api/.venv/lib/python3.11/site-packages/sqlalchemy/pool/impl.py", line 168, in _do_get
            raise exc.TimeoutError(
        sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00 (Background on this error at: https://sqlalche.me/e/20/3o7r)
        """,
    ),
    (
        "pool_exhausted",
        """
          File "/srv/api/.venv/lib/python3.11/site-packages/psycopg2/__init__.py", line 122, in connect
            conn = _connect(dsn, connection_factory=connection_factory, **kwasync)
        psycopg2.OperationalError: connection to server at "db" (10.0.0.5), port 5432 failed: FATAL:  sorry, too many clients already
        """,
    ),
    (
        "credential_expired",
        """
          File "/srv/api/.venv/lib/python3.11/site-packages/psycopg/connection.py", line 119, in connect
            raise last_ex.with_traceback(None)
        psycopg.OperationalError: connection failed: connection to server at "10.0.0.5", port 5432 failed: FATAL:  password authentication failed for user "app"
        """,
    ),
    (
        "schema_broken",
        """
        sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable) relation "orders" does not exist
        LINE 1: SELECT orders.id FROM orders
                                      ^

        [SQL: SELECT orders.id FROM orders]
        (Background on this error at: https://sqlalche.me/e/20/f405)
        """,
    ),
    (
        "locked",
        """
          File "/srv/bot/store.py", line 31, in save
            self.db.execute("INSERT INTO seen VALUES (?)", (key,))
        sqlite3.OperationalError: database is locked
        """,
    ),
    (
        "corrupted",
        '  File "/srv/bot/store.py", line 12, in open\nsqlite3.DatabaseError: database disk image is malformed',
    ),
    (
        "tls_untrusted",
        """
        requests.exceptions.SSLError: HTTPSConnectionPool(host='api.example', port=443): Max retries exceeded with url: /v1 (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)')))
        """,
    ),
    (
        "tls_expired",
        """
        Traceback (most recent call last):
          File "/usr/lib/python3.11/ssl.py", line 1379, in do_handshake
        ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)
        """,
    ),
    (
        "slow_dependency",
        """
          File "/srv/api/.venv/lib/python3.11/site-packages/httpx/_transports/default.py", line 118, in map_httpcore_exceptions
            raise mapped_exc(message) from exc
        httpx.ReadTimeout
        """,
    ),
    (
        "quota_exhausted",
        """
        openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota'}}
        """,
    ),
    (
        "rate_limited",
        "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://api.example/v1/rates",
    ),
    (
        "external_api_down",
        """
          File "/srv/quotes/fetch.py", line 18, in fetch
            answer.raise_for_status()
        requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: https://api.example/v1/rates
        """,
    ),
    (
        "missing_module",
        "Traceback (most recent call last):\n  File \"/srv/a.py\", line 1, in <module>\n    import yaml\nModuleNotFoundError: No module named 'yaml'",
    ),
    (
        "bad_deploy",
        """
          File "/srv/bot/handlers.py", line 44
            async def start(update, context)
                                            ^
        SyntaxError: expected ':'
        """,
    ),
    (
        "bad_deploy",
        """
        ImportError: cannot import name 'db' from partially initialized module 'shop' (most likely due to a circular import) (/srv/shop/__init__.py)
        """,
    ),
    (
        "incompatible",
        """
          File "/srv/bot/.venv/lib/python3.11/site-packages/openai/_base_client.py", line 745, in __init__
            return super().__init__(**kwargs)
        TypeError: AsyncClient.__init__() got an unexpected keyword argument 'proxies'
        """,
    ),
    (
        "out_of_processes",
        """
          File "/usr/lib/python3.11/threading.py", line 957, in start
            _start_new_thread(self._bootstrap, ())
        RuntimeError: can't start new thread
        """,
    ),
    (
        "out_of_fds",
        """
          File "/usr/lib/python3.11/socket.py", line 232, in __init__
            _socket.socket.__init__(self, family, type, proto, fileno)
        OSError: [Errno 24] Too many open files
        """,
    ),
    (
        "out_of_memory",
        """
        numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64
        """,
    ),
    (
        "disk_full",
        '  File "/srv/b/save.py", line 4, in save\n    f.write(data)\nOSError: [Errno 28] No space left on device',
    ),
    (
        "missing_program",
        """
        playwright._impl._errors.Error: BrowserType.launch: Executable doesn't exist at /var/lib/app/.cache/ms-playwright/chromium-1140/chrome-linux/chrome
        Looks like Playwright was just installed or updated.
        Please run the following command to download new browsers:

            playwright install
        """,
    ),
    (
        "schema_broken",
        """
        FAILED: Can't locate revision identified by '9a1b2c3d4e5f'
        alembic.util.exc.CommandError: Can't locate revision identified by '9a1b2c3d4e5f'
        """,
    ),
    (
        "dependency_down",
        """
        pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused (configured timeouts: socketTimeoutMS: 20000.0ms), Timeout: 30s
        """,
    ),
    (
        "dependency_down",
        """
        [2026-11-24 03:12:50,114: ERROR/MainProcess] consumer: Cannot connect to amqp://guest:**@rabbit:5672//: [Errno 111] Connection refused.
        """,
    ),
    (
        "bad_configuration",
        """
        INFO:     Will watch for changes in these directories: ['/srv/api']
        ERROR:    Error loading ASGI app. Could not import module "main".
        """,
    ),
    (
        "hung",
        """
        [2026-11-24 03:12:59 +0000] [41] [CRITICAL] WORKER TIMEOUT (pid:44)
        [2026-11-24 03:12:59 +0000] [44] [INFO] Worker exiting (pid: 44)
        """,
    ),
    (
        "clock_skew",
        """
        ccxt.base.errors.InvalidNonce: binance {"code":-1021,"msg":"Timestamp for this request was 1000ms ahead of the server's time."}
        """,
    ),
    (
        "crashed",
        'Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007f (most recent call first):\n  File "/srv/a.py", line 3 in f',
    ),
)

TAILS: tuple[tuple[str, str], ...] = tuple((cause, dedent(log).strip()) for cause, log in (*_RAW, *OF_SERVICES))
