"""Run the local AWS with faults."""

from tests.faults.server import FaultyServer
from tools.local.aws.__main__ import main

main(FaultyServer)
