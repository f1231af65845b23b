"""What programs say when they end: the last lines of logs, each labelled with the cause that a person reads from it."""

from __future__ import annotations

LABELLED: tuple[tuple[str, str], ...] = (
    # --- the port is taken ---
    (
        "port_taken",
        """\
Traceback (most recent call last):
  File "/srv/billing/main.py", line 41, in <module>
    server = HTTPServer(("127.0.0.1", 9004), Handler)
  File "/usr/lib/python3.11/socketserver.py", line 456, in __init__
    self.server_bind()
OSError: [Errno 98] Address already in use""",
    ),
    (
        "port_taken",
        """\
node:events:496
      throw er; // Unhandled 'error' event
      ^

Error: listen EADDRINUSE: address already in use :::3000
    at Server.setupListenHandle [as _listen2] (node:net:1811:16)
    at listenInCluster (node:net:1859:12)
    at Server.listen (node:net:1947:7)
    at Object.<anonymous> (/srv/shop/server.js:12:8)
    at Module._compile (node:internal/modules/cjs/loader:1256:14)
    at node:internal/main/run_main_module:23:47 {
  code: 'EADDRINUSE',
  errno: -98,
  syscall: 'listen',
  port: 3000
}

Node.js v18.19.0""",
    ),
    (
        "port_taken",
        """\
2026/11/24 03:12:55 [emerg] 4711#4711: bind() to 0.0.0.0:8080 failed (98: Address already in use)
2026/11/24 03:12:56 [emerg] 4711#4711: still could not bind()""",
    ),
    (
        "port_taken",
        """\
LOG:  could not bind IPv4 address "127.0.0.1": Address already in use
HINT:  Is another postmaster already running on port 5432? If not, wait a few seconds and retry.
WARNING:  could not create listen socket for "localhost"
FATAL:  could not create any TCP/IP sockets""",
    ),
    ("port_taken", "2026/11/24 03:12:55 listen tcp :8080: bind: address already in use\nexit status 1"),
    (
        "port_taken",
        """\
[2026-11-24 03:12:55 +0000] [41] [INFO] Starting gunicorn 21.2.0
[2026-11-24 03:12:55 +0000] [41] [ERROR] Connection in use: ('0.0.0.0', 8000)
[2026-11-24 03:12:59 +0000] [41] [ERROR] Can't connect to ('0.0.0.0', 8000)""",
    ),
    (
        "port_taken",
        """\
Exception in thread "main" java.net.BindException: Address already in use
\tat java.base/sun.nio.ch.Net.bind0(Native Method)
\tat java.base/sun.nio.ch.Net.bind(Net.java:555)
\tat com.example.ledger.Main.main(Main.java:19)""",
    ),
    (
        "port_taken",
        "17:C 03:12:55.1 # Could not create server TCP listening socket *:6379: bind: Address already in use",
    ),
    (
        "port_taken",
        """\
thread 'main' panicked at src/main.rs:9:42:
called `Result::unwrap()` on an `Err` value: Os { code: 98, kind: AddrInUse, message: "Address already in use" }""",
    ),
    # --- the disk is full ---
    (
        "disk_full",
        """\
  File "/srv/reports/render.py", line 88, in save
    file.write(page)
OSError: [Errno 28] No space left on device: '/var/lib/reports/2026-11.pdf'""",
    ),
    (
        "disk_full",
        """\
PANIC:  could not write to file "pg_wal/xlogtemp.812": No space left on device
LOG:  WAL writer process (PID 812) was terminated by signal 6: Aborted
LOG:  terminating any other active server processes""",
    ),
    ("disk_full", "Error: ENOSPC: no space left on device, write\n    at writeSync (node:fs:893:3)\n  errno: -28"),
    ("disk_full", "sqlite3.OperationalError: database or disk is full"),
    ("disk_full", "panic: write /var/lib/queue/000042.log: disk quota exceeded\n\ngoroutine 1 [running]:"),
    # --- something to import is missing ---
    (
        "missing_module",
        """\
Traceback (most recent call last):
  File "/srv/api/app.py", line 3, in <module>
    import psycopg
ModuleNotFoundError: No module named 'psycopg'""",
    ),
    ("missing_module", "/usr/bin/python3: No module named shop.api"),
    ("missing_module", "ImportError: cannot import name 'Router' from 'shop.web' (/srv/shop/web.py)"),
    (
        "missing_module",
        """\
Error: Cannot find module 'express'
Require stack:
- /srv/shop/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1077:15)
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/srv/shop/server.js' ]""",
    ),
    ("missing_module", "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'pg' imported from /srv/shop/db.mjs"),
    (
        "missing_module",
        "./worker: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file",
    ),
    ("missing_module", "Error: Could not find or load main class com.example.ledger.Main"),
    (
        "missing_module",
        'Exception in thread "main" java.lang.ClassNotFoundException: org.postgresql.Driver\n'
        "\tat java.base/java.lang.Class.forName0(Native Method)\n" + "\tat com.example.Db.open(Db.java:20)\n" * 20,
    ),
    ("missing_module", "<internal:rubygems>:38:in `require': cannot load such file -- sinatra (LoadError)"),
    # --- a variable is not set ---
    (
        "missing_variable",
        """\
  File "/srv/api/settings.py", line 7, in <module>
    DATABASE_URL = os.environ["DATABASE_URL"]
  File "<frozen os>", line 679, in __getitem__
KeyError: 'DATABASE_URL'""",
    ),
    ("missing_variable", "./run.sh: line 3: API_TOKEN: unbound variable"),
    ("missing_variable", "2026/11/24 03:12:55 required key SMTP_HOST missing value"),
    ("missing_variable", "Error: Missing required environment variable: STRIPE_KEY\n    at env (/srv/shop/env.js:4:9)"),
    ("missing_variable", 'config/secrets.rb:2:in `fetch\': key not found: "SECRET_KEY_BASE" (KeyError)'),
    ("missing_variable", "fatal: REDIS_URL must be set"),
    ("missing_variable", "RuntimeError: environment variable MAIL_FROM is not set"),
    # --- memory ---
    ("out_of_memory", '  File "/srv/api/load.py", line 9, in rows\n    data = file.read()\nMemoryError'),
    (
        "out_of_memory",
        """\
<--- Last few GCs --->
[4711:0x5581] 63211 ms: Mark-sweep 508.2 (524.1) -> 507.9 (524.3) MB, 421.1 / 0.0 ms  allocation failure
FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
 1: 0xb0a860 node::Abort() [node]
 2: 0xa1c193 node::FatalError(char const*, char const*) [node]""",
    ),
    ("out_of_memory", 'Exception in thread "pool-2" java.lang.OutOfMemoryError: Java heap space\n\tat A.b(A.java:7)'),
    ("out_of_memory", "fatal error: runtime: out of memory\n\nruntime stack:\nruntime.throw({0x4b1c5f, 0x16})"),
    ("out_of_memory", "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc"),
    (
        "out_of_memory",
        "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 64 bytes)",
    ),
    ("out_of_memory", "FATAL:  could not map anonymous shared memory: Cannot allocate memory"),
    # --- file descriptors ---
    ("out_of_fds", "OSError: [Errno 24] Too many open files: '/srv/api/templates/index.html'"),
    ("out_of_fds", "2026/11/24 03:12:55 http: Accept error: accept tcp [::]:80: accept4: too many open files"),
    ("out_of_fds", "2026/11/24 03:12:55 [crit] 31#31: accept4() failed (24: Too many open files)"),
    ("out_of_fds", "Error: EMFILE: too many open files, open '/srv/shop/views/cart.html'"),
    # --- permission ---
    ("permission", "PermissionError: [Errno 13] Permission denied: '/var/lib/billing/ledger.db'"),
    ("permission", "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)"),
    ("permission", "Error: EACCES: permission denied, open '/etc/ssl/private/shop.key'"),
    ("permission", "2026/11/24 03:12:55 listen tcp :443: bind: permission denied"),
    ("permission", "java.nio.file.AccessDeniedException: /var/lib/ledger/data\n\tat Unix.translate(Unix.java:90)"),
    ("permission", "/bin/sh: 1: /srv/worker/run.sh: Permission denied"),
    # --- configuration ---
    ("bad_configuration", 'nginx: [emerg] unknown directive "sever_name" in /etc/nginx/nginx.conf:12'),
    (
        "bad_configuration",
        "tomllib.TOMLDecodeError: Expected '=' after a key in a key/value pair (at line 3, column 6)",
    ),
    ("bad_configuration", "usage: api [-h] [--port PORT]\napi: error: unrecognized arguments: --prot 8000"),
    ("bad_configuration", "flag provided but not defined: -prot\nUsage of ./api:\n  -port int"),
    ("bad_configuration", 'yaml.scanner.ScannerError: mapping values are not allowed here\n  in "app.yml", line 4'),
    ("bad_configuration", "*** FATAL CONFIG FILE ERROR (Redis 7.0.11) ***\nReading the configuration file, at line 9"),
    ("bad_configuration", "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty."),
    (
        "bad_configuration",
        """\
LOG:  unrecognized configuration parameter "shared_bufers" in file "/etc/postgresql/postgresql.conf" line 12
FATAL:  configuration file "/etc/postgresql/postgresql.conf" contains errors""",
    ),
    # --- what it depends on is down ---
    (
        "dependency_down",
        """\
psycopg.OperationalError: connection failed: Connection refused
\tIs the server running on that host and accepting TCP/IP connections?""",
    ),
    (
        "dependency_down",
        "Error: connect ECONNREFUSED 127.0.0.1:6379\n    at TCPConnectWrap.afterConnect (node:net:1495:16)",
    ),
    ("dependency_down", "2026/11/24 03:12:55 dial tcp 10.0.0.5:5432: connect: connection refused\nexit status 1"),
    ("dns_failed", "Error: getaddrinfo ENOTFOUND ledger.internal"),
    (
        "dependency_down",
        "org.springframework.beans.BeanCreationException: dataSource\n"
        + "\tat org.springframework.Factory.create(Factory.java:1804)\n" * 25
        + "Caused by: java.net.ConnectException: Connection refused\n\t... 31 more",
    ),
    ("dns_failed", 'nginx: [emerg] host not found in upstream "api" in /etc/nginx/conf.d/shop.conf:7'),
    ("dns_failed", "socket.gaierror: [Errno -3] Temporary failure in name resolution"),
)

# A program that ended with an error of its own, and the line that says which.
CRASHES: tuple[tuple[str, str], ...] = (
    (
        "ValueError: bad invoice 17",
        """\
2026-11-24 03:12:54 INFO invoice 16 sent
Traceback (most recent call last):
  File "/srv/billing/main.py", line 70, in <module>
    main()
  File "/srv/billing/main.py", line 61, in main
    send(invoice)
  File "/srv/billing/invoices.py", line 12, in send
    raise ValueError(f"bad invoice {number}")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ValueError: bad invoice 17""",
    ),
    (
        "KeyError: 'user_id'",
        '  File "/srv/api/app.py", line 9, in cart\n    return row["user_id"]\nKeyError: \'user_id\'',
    ),
    ("AssertionError", '  File "/srv/api/app.py", line 9, in cart\n    assert total\nAssertionError'),
    ("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",) * 2,
    (
        "TypeError: Cannot read properties of undefined (reading 'total')",
        """\
/srv/shop/cart.js:31
  return cart.total * 1.19
              ^

TypeError: Cannot read properties of undefined (reading 'total')
    at price (/srv/shop/cart.js:31:15)
    at /srv/shop/server.js:44:20
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)

Node.js v18.19.0""",
    ),
    (
        "panic: runtime error: invalid memory address or nil pointer dereference",
        """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x497a3e]

goroutine 1 [running]:
main.price(...)
\t/srv/shop/cart.go:31
main.main()
\t/srv/shop/main.go:12 +0x1d
exit status 2""",
    ),
    (
        'Exception in thread "main" java.lang.IllegalStateException: no rate for EUR',
        'Exception in thread "main" java.lang.IllegalStateException: no rate for EUR\n'
        + "\tat com.example.Rates.of(Rates.java:44)\n" * 30,
    ),
    (
        "Caused by: java.lang.ArithmeticException: / by zero",
        """\
java.lang.RuntimeException: cannot close the books
\tat com.example.Books.close(Books.java:9)
Caused by: java.lang.ArithmeticException: / by zero
\tat com.example.Books.sum(Books.java:31)
\t... 4 more""",
    ),
    (
        "thread 'main' panicked at src/main.rs:12:5: index out of bounds",
        "thread 'main' panicked at src/main.rs:12:5: index out of bounds\nnote: run with `RUST_BACKTRACE=1`",
    ),
)

# Lines of programs that are well, or that end for a reason which is none of these.
ORDINARY: tuple[str, ...] = (
    "INFO:     Uvicorn running on http://127.0.0.1:9004 (Press CTRL+C to quit)",
    '127.0.0.1 - - [24/Nov/2026:03:12:55 +0000] "GET /health HTTP/1.1" 200 2',
    "connected to database at 10.0.0.5:5432 in 12 ms",
    "configuration loaded from /etc/shop/app.toml",
    "port 8080 is open, waiting for connections",
    "disk usage is 41 %",
    "memory: 120 MB of 400 MB in use, 31 open files",
    "user 4 was granted permission to read invoices",
    "loaded module billing in 0.2 s",
    'POST /login 401 {"error":"password is required"}',
    "field email is required",
    "unknown user 'ann', try again",
    "cache miss for key 'user:17'",
    "retrying request 9 of 10",
    "0 errors, 0 warnings",
    "LOG:  database system is ready to accept connections",
    "Received SIGTERM, shutting down gracefully",
    "checkpoint complete: wrote 44 buffers (0.3%)",
    "option --verbose is deprecated",
    "Done in 3.81 s.",
)
