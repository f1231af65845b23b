"""Who is asked?

One nginx that answers a small JSON document on many addresses of the loopback: it is quicker than whoever asks it, and
counts its requests itself. Its four ports keep a connection or close it after each answer, with TLS and without.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checks.alone import SERVING, free_ports, pinned
from benchmarks.peers.places import program

MODES = ("keep", "new", "tls_keep", "tls_new")
BODY = '{"status":"ok","db":{"state":"up"},"queue":{"depth":3},"version":"1.2.3"}'
NEEDLE = '"state":"up"'
# As many addresses as are needed for tens of thousands of connections a minute: each has its own range of ports.
ADDRESSES = 64
_START_S = 5.0

_CONFIGURATION = """\
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
{servers}
    server {{ listen 127.0.0.1:{status}; location / {{ stub_status; }} }}
}}
"""
_SERVER = """\
    server {{
        listen {port}{tls} backlog=4096;
        keepalive_timeout {kept_s};
        location / {{ return 200 '{body}'; }}
    }}"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """The running server."""

    ports: dict[str, int]
    status: int

    def urls(self, mode: str, count: int, path: str = "health") -> tuple[str, ...]:
        """So many URLs, over the addresses by turns. What the path is makes no difference."""
        scheme = "https" if mode.startswith("tls") else "http"
        port = self.ports[mode]
        return tuple(f"{scheme}://127.0.0.{1 + at % ADDRESSES}:{port}/{path}" for at in range(count))

    def requests(self) -> int:
        """How many it has answered so far, this question included."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status}/", timeout=5) as answer:
            return int(answer.read().splitlines()[2].split()[2])


@contextmanager
def nginx(files: int = 20_000) -> Iterator[Nginx]:
    """Run it, with so many open files at most. Raises RuntimeError where it is not installed."""
    path = program("nginx")
    if path is None:
        raise RuntimeError("cannot measure: nginx is not there; 'apt-get install nginx-light' brings it")
    *ports, status = free_ports(len(MODES) + 1)
    server = Nginx(dict(zip(MODES, ports, strict=True)), status)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _configure(server, Path(folder), files)
        command = [*pinned(SERVING), path, "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
        with subprocess.Popen(command) as process:
            try:
                _wait_for(server, process)
                yield server
            finally:
                process.terminate()


def _configure(server: Nginx, folder: Path, files: int) -> None:
    import trustme  # not for those who are measured: it weighs more than they do

    leaf = trustme.CA().issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    servers = [
        _SERVER.format(
            port=port,
            body=BODY,
            tls=" ssl" if mode.startswith("tls") else "",
            kept_s=0 if mode.endswith("new") else 300,
        )
        for mode, port in server.ports.items()
    ]
    text = _CONFIGURATION.format(
        folder=folder, files=files, connections=files - 64, status=server.status, servers="\n".join(servers)
    )
    (folder / "nginx.conf").write_text(text, encoding="utf-8")


def _wait_for(server: Nginx, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.requests()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"cannot measure: nginx did not start; it ended with {process.poll()}")
