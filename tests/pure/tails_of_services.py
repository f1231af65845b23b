"""How the logs of services, servers and platforms end; those of Python, and what they are for, are in `tails`."""

# ruff: noqa: E501 - lines are as long as they are

from __future__ import annotations

OF_SERVICES: tuple[tuple[str, str], ...] = (
    # --- Node ---
    (
        "port_taken",
        """
        Error: listen EADDRINUSE: address already in use :::3000
            at Server.setupListenHandle [as _listen2] (node:net:1811:16)
            at listenInCluster (node:net:1859:12)
          code: 'EADDRINUSE',
          port: 3000
        }
        Node.js v20.11.0
        """,
    ),
    (
        "bad_deploy",
        """
        (node:41) Warning: To load an ES module, set "type": "module" in the package.json or use the .mjs extension.
        /srv/shop/server.js:1
        import express from 'express';
        ^^^^^^

        SyntaxError: Cannot use import statement outside a module
            at internalCompileFunction (node:internal/vm:73:18)
        """,
    ),
    (
        "missing_module",
        """
        node:internal/modules/cjs/loader:1143
          throw err;
          ^

        Error: Cannot find module '/app/dist/index.js'
            at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15)
          code: 'MODULE_NOT_FOUND',
          requireStack: []
        }
        """,
    ),
    (
        "bad_configuration",
        """
        npm error Missing script: "start"
        npm error
        npm error To see a list of scripts, run:
        npm error   npm run
        npm error A complete log of this run can be found in: /var/lib/app/.npm/_logs/2026-11-24T03_12_55-debug-0.log
        """,
    ),
    (
        "incompatible",
        """
        npm error code ERESOLVE
        npm error ERESOLVE unable to resolve dependency tree
        npm error Found: react@19.0.0
        npm error Could not resolve dependency:
        npm error peer react@"^18.0.0" from widgets@2.1.0
        """,
    ),
    (
        "dependency_down",
        """
        PrismaClientInitializationError: Can't reach database server at `db:5432`
        Please make sure your database server is running at `db:5432`.
            at r (/srv/shop/node_modules/@prisma/client/runtime/library.js:111:2500)
        """,
    ),
    (
        "pool_exhausted",
        """
        KnexTimeoutError: Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?
            at Client_PG.acquireConnection (/srv/shop/node_modules/knex/lib/client.js:332:26)
        """,
    ),
    (
        "already_running",
        'error: [polling_error] {"code":"ETELEGRAM","message":"ETELEGRAM: 409 Conflict: terminated by other getUpdates request"}',
    ),
    (
        "dns_failed",
        """
        Error: getaddrinfo EAI_AGAIN db
            at GetAddrInfoReqWrap.onlookup [as oncomplete] (node:dns:107:26) {
          errno: -3001,
          code: 'EAI_AGAIN',
          syscall: 'getaddrinfo',
          hostname: 'db'
        }
        """,
    ),
    (
        "tls_expired",
        """
        Error: certificate has expired
            at TLSSocket.onConnectSecure (node:_tls_wrap:1674:34)
          code: 'CERT_HAS_EXPIRED'
        }
        """,
    ),
    # --- data bases and servers ---
    (
        "already_running",
        """
        FATAL:  lock file "postmaster.pid" already exists
        HINT:  Is another postmaster (PID 812) running in data directory "/var/lib/postgresql/data"?
        """,
    ),
    (
        "incompatible",
        """
        FATAL:  database files are incompatible with server
        DETAIL:  The data directory was initialized by PostgreSQL version 15, which is not compatible with this version 16.4.
        """,
    ),
    (
        "corrupted",
        """
        LOG:  invalid primary checkpoint record
        PANIC:  could not locate a valid checkpoint record
        LOG:  startup process (PID 27) was terminated by signal 6: Aborted
        LOG:  aborting startup due to startup process failure
        """,
    ),
    (
        "permission",
        """
        FATAL:  data directory "/var/lib/postgresql/data" has invalid permissions
        DETAIL:  Permissions should be u=rwx (0700) or u=rwx,g=rx (0750).
        """,
    ),
    (
        "corrupted",
        """
        1:M 24 Nov 2026 03:12:55.000 # Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup of your AOF file, then use ./redis-check-aof --fix <filename>
        """,
    ),
    (
        "bad_configuration",
        """
        nginx: [emerg] unexpected "}" in /etc/nginx/conf.d/shop.conf:14
        nginx: configuration file /etc/nginx/nginx.conf test failed
        """,
    ),
    (
        "bad_configuration",
        """
        nginx: [emerg] cannot load certificate "/etc/ssl/shop.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory)
        """,
    ),
    # --- Go, Java, Rust, others ---
    (
        "hung",
        """
        fatal error: all goroutines are asleep - deadlock!

        goroutine 1 [chan receive]:
        main.main()
        \t/srv/q/main.go:21 +0x1d
        exit status 2
        """,
    ),
    (
        "crashed",
        """
        fatal error: concurrent map writes

        goroutine 42 [running]:
        main.(*cache).put(...)
        \t/srv/q/cache.go:31
        """,
    ),
    (
        "tls_untrusted",
        'Get "https://ledger/x": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    ),
    (
        "incompatible",
        """
        Exception in thread "main" java.lang.UnsupportedClassVersionError: com/example/Main has been compiled by a more recent version of the Java Runtime (class file version 65.0)
        \tat java.base/java.lang.ClassLoader.defineClass1(Native Method)
        """,
    ),
    (
        "out_of_processes",
        """
        Exception in thread "main" java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached
        \tat java.base/java.lang.Thread.start0(Native Method)
        """,
    ),
    (
        "pool_exhausted",
        """
        java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30001ms (total=10, active=10, idle=0, waiting=41)
        \tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:686)
        """,
    ),
    (
        "missing_variable",
        "thread 'main' panicked at src/main.rs:9:42:\ncalled `Result::unwrap()` on an `Err` value: NotPresent",
    ),
    (
        "schema_broken",
        "ActiveRecord::PendingMigrationError: \n\nMigrations are pending. To resolve this issue, run:\n\n        bin/rails db:migrate",
    ),
    # --- machines and platforms ---
    ("incompatible", "./api: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./api)"),
    ("missing_program", "exec /app/run: exec format error"),
    ("host_problem", "ERROR cannot append to the log\nOSError: [Errno 5] Input/output error"),
    ("network_loss", "2026/11/24 03:12:55 dial tcp 10.0.0.5:5432: connect: no route to host\nexit status 1"),
    (
        "out_of_memory",
        """
        ==> Your service is live
        ==> Out of memory (used over 512Mi)
        """,
    ),
    (
        "bad_configuration",
        """
        ==> Running 'node server.js'
        ==> No open ports detected, continuing to scan...
        ==> Port scan timeout reached, no open ports detected. Bind your service to at least one port.
        """,
    ),
    ("credential_expired", "fatal: could not read Username for 'https://git.example': No such device or address"),
    ("torn_tail", "ERROR journal: last record is incomplete, 41 bytes skipped"),
    ("queue_backlog", "WARNING jobs: task queue is full, dropping job 88\nERROR giving up"),
    ("read_only", "redis.exceptions.ReadOnlyError: You can't write against a read only replica."),
)
