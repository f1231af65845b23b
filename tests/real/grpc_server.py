"""What does gRPC's own library say of its health? A program: it prints its port, and serves until it is killed.

`python grpc_server.py HEALTH TOKEN [FOLDER]`: with the standard health service or without it, only for who brings the
token where there is one, over TLS with the certificate in the folder where there is one.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Guarded(health.HealthServicer):
    """Answers who brings the token."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def Check(  # noqa: N802 - named by the protocol
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if self._token and ("authorization", self._token) not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?\n100 %")
        return super().Check(request, context)


def main(with_health: str, token: str, folder: str = "") -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    if with_health == "health":
        servicer = Guarded(token)
        servicer.set("down", health_pb2.HealthCheckResponse.NOT_SERVING)
        servicer.set("odd", health_pb2.HealthCheckResponse.UNKNOWN)
        servicer.set("lost", health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        servicer.set("up" * 100, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if folder:
        pair = (Path(folder, "key.pem").read_bytes(), Path(folder, "cert.pem").read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
