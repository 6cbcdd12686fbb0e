"""The local AWS with faults, as a process."""

from tests.faults.server import FaultyServer
from tools.local.aws.__main__ import main

main(FaultyServer)
