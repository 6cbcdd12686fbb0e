"""The command line of the conformance set: README.md of this folder."""

import argparse
import shlex
from collections.abc import Mapping, Sequence

from tests import faults
from tests.conformance.adapter import Adapter, CommandAdapter, ModuleAdapter
from tests.conformance.cases import KINDS, Judges, Verdict, find_kind, judge
from tests.conformance.histories import Cloud
from tests.judges.chromium import Chromium, open_browser
from tests.judges.exiftool import Exiftool
from tools.common.progress import show_progress
from tools.common.table import Table
from tools.local.aws import local_aws, service


def main(arguments: Sequence[str]) -> int:
    """Judge the cases that are asked for; return 1 if one is wrong."""
    options = parse(arguments)
    adapter: Adapter = (
        ModuleAdapter(options.module)
        if options.module
        else CommandAdapter(options.render, tuple(shlex.split(options.handle)), options.output_key)
    )
    seeds = options.seed or [seed for seed, kind in enumerate(KINDS) if adapter.handler or not kind.has_faults]
    service.MODULE = faults.MODULE
    with open_browser() as browser, local_aws() as aws:
        chromium = Chromium(browser)
        verdicts = run(seeds, adapter, Judges(chromium, Exiftool(), Cloud(aws, chromium)))
    print(tabulate(verdicts).text())
    return int(any(verdict.wrong for verdict in verdicts.values()))


def run(seeds: Sequence[int], adapter: Adapter, judges: Judges) -> dict[int, Verdict]:
    """Judge the cases of some seeds; print each that is wrong, with the option that replays it."""
    verdicts = {}
    with show_progress("Judging outputs", len(seeds)) as update:
        for seed in seeds:
            verdicts[seed] = verdict = judge(seed, adapter, judges)
            if verdict.wrong:
                print(f"--seed {seed}: {verdict.case}: {verdict.wrong}", flush=True)
            update(advance=1)
    return verdicts


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.conformance", description="Judge an image resizer.")
    resizer = parser.add_mutually_exclusive_group(required=True)
    resizer.add_argument("module", nargs="?", help="a Python adapter, such as tests.conformance.adapters.ours")
    resizer.add_argument(
        "--render", metavar="COMMAND", help="such as 'convert {source} -resize {width}x{height} {target}'"
    )
    parser.add_argument("--handle", metavar="COMMAND", default="", help="takes an event on its standard input")
    parser.add_argument("--output-key", metavar="TEMPLATE", default="{key}", help="such as 'resized-{key}'")
    parser.add_argument(
        "--seed", type=int, nargs="+", help=f"only these cases (default: the whole set, 0 to {len(KINDS) - 1})"
    )
    options = parser.parse_args(arguments)
    if options.module and (options.handle or options.output_key != parser.get_default("output_key")):
        parser.error("--handle and --output-key need --render: a module has the functions handle and output_key")
    return options


def tabulate(verdicts: Mapping[int, Verdict]) -> Table:
    """Count the verdicts of each row."""
    rows: dict[str, list[int]] = {}
    for seed, verdict in verdicts.items():
        column = 2 if verdict.wrong else 1 if verdict.is_named else 0
        rows.setdefault(find_kind(seed).row, [0, 0, 0])[column] += 1
    counts = tuple((row, *map(str, numbers)) for row, numbers in rows.items())
    return Table("Results", ("", "right", "named", "wrong"), counts)
