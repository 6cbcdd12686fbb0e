"""Runs SeaweedFS, an S3 that shares no code with moto: https://github.com/seaweedfs/seaweedfs."""

import contextlib
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import skip_or_fail

PROGRAM = Path(sysconfig.get_path("scripts")) / "weed"

START_SECONDS = 120
"""The longest time to wait for the start, which takes about four seconds on an idle machine."""

PORTS = ("master", "volume", "filer", "s3")
"""Servers of one process; each has a port for HTTP and one for gRPC."""

SOCKETS = Path("/tmp")  # noqa: S108 - SeaweedFS knows no other folder
"""Where SeaweedFS leaves ``seaweedfs-*-PORT.sock``."""


@contextlib.contextmanager
def seaweedfs() -> Iterator[str]:
    """Run SeaweedFS on loopback for the length of a block; yield the endpoint of its S3, which accepts any key."""
    if not PROGRAM.exists():
        skip_or_fail("No weed beside this Python: pip install -r tools/requirements/judges.txt")
    ports = _find_ports(2 * len(PORTS))
    with tempfile.TemporaryDirectory() as folder:
        options = [
            *(f"-{name}.port={port}" for name, port in zip(PORTS, ports, strict=False)),
            *(f"-{name}.port.grpc={port}" for name, port in zip(PORTS, ports[len(PORTS) :], strict=True)),
            # Without services and messages that no test needs.
            *("-filer", "-s3", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
            *("-volume.max=100", "-volume.minFreeSpace=0", "-master.volumeSizeLimitMB=64"),
        ]
        command = [str(PROGRAM), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *options]
        # With AWS's keys in its environment, or settings in the home folder, it would ask for keys.
        environment = {"HOME": folder}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                endpoint = f"http://127.0.0.1:{ports[PORTS.index('s3')]}"
                _await_storage(endpoint, process)
                yield endpoint
            finally:
                # It would take half a minute to stop by itself.
                process.kill()
                for port in ports:
                    for path in SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                        path.unlink()


def _find_ports(count: int) -> list[int]:
    """Return free ports of loopback, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _await_storage(endpoint: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a large object can be stored: the servers find each other after they listen."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    s3 = boto3.client("s3", "eu-west-2", endpoint_url=endpoint, config=config)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
                s3.create_bucket(Bucket="large", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
            s3.put_object(Bucket="large", Key="object", Body=bytes(1 << 20))
        except (BotoCoreError, ClientError):
            assert process.poll() is None, "SeaweedFS has ended"
            assert time.monotonic() < deadline, "SeaweedFS does not start"
            time.sleep(0.1)
        else:
            return
