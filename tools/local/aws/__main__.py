"""The process of the local AWS: prints where it listens, and serves until it is told to stop."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from tools.local.aws.runtime import Runtime
from tools.local.aws.server import REGION, Server
from tools.local.aws.service import STAY


def main(server_class: type[Server] = Server) -> None:
    """Serve until SIGTERM, or until standard input ends without ``STAY``."""
    parser = argparse.ArgumentParser(prog="python -m tools.local.aws", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--retry-delays", type=float, nargs="+", required=True)
    parser.add_argument("python", type=Path, help="the interpreter of functions")
    parser.add_argument("client", nargs="+", help="its arguments that run AWS's runtime client")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)

    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    try:
        server = server_class(
            arguments.port,
            arguments.concurrency,
            tuple(arguments.retry_delays),
            Runtime(arguments.python, tuple(arguments.client)),
        )
    except SystemExit:
        # werkzeug ends the process instead of raising an exception.
        sys.exit(f"Port {arguments.port} is in use: choose another, or none")
    server.start()
    described = {
        "endpoint": server.endpoint,
        "region": REGION,
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        "pid": os.getpid(),
    }
    print(json.dumps(described), flush=True)
    threading.Thread(target=_await_parent, args=(stopping,), daemon=True).start()
    stopping.wait()
    server.stop()


def _await_parent(stopping: threading.Event) -> None:
    if sys.stdin.read() != STAY:
        stopping.set()


if __name__ == "__main__":
    main()
