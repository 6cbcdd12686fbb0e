"""The conformance set: this project's resizer passes it, broken ones don't, and a seed replays a failure."""

import contextlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageOps

from tests import faults
from tests.conformance.adapter import Adapter, CommandAdapter, ModuleAdapter, Refused, Wanted
from tests.conformance.adapters import ours
from tests.conformance.cases import KINDS, Judges
from tests.conformance.command import main, run
from tests.conformance.histories import Cloud
from tests.images import encode, load, picture
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.local.aws import local_aws, service

OURS = ModuleAdapter("tests.conformance.adapters.ours")
USUAL = ModuleAdapter("tests.conformance.adapters.usual")

FIRST = {kind.row: seed for seed, kind in reversed(list(enumerate(KINDS)))}
"""A seed of each row of the table of results."""

README = (ROOT / "tests" / "conformance" / "README.md").read_text()
HISTORIES = [seed for row, seed in FIRST.items() if row.startswith("faults: ")]


@pytest.fixture(scope="module")
def judges(chromium: Chromium, exiftool: Exiftool) -> Iterator[Judges]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "MODULE", faults.MODULE)
        with local_aws() as aws:
            yield Judges(chromium, exiftool, Cloud(aws, chromium))


def find_wrong(seeds: list[int], adapter: Adapter, judges: Judges) -> dict[int, str]:
    return {seed: verdict.wrong for seed, verdict in run(seeds, adapter, judges).items() if verdict.wrong}


def test_our_resizer_passes_a_sample_and_every_history(judges: Judges) -> None:
    of_images = [seed for seed, kind in enumerate(KINDS) if not kind.has_faults]
    rounds = [seed + len(KINDS) * number for seed in of_images for number in range(1, 10)]
    sample = [*FIRST.values(), *Random(22).sample(rounds, 30)]  # noqa: S311 - no secret
    assert find_wrong(sample, OURS, judges) == {}


@dataclass
class Changed:
    """Our resizer, whose outputs are changed, or whose events are handled by another command."""

    change: Callable[[Image.Image], Image.Image] = Image.Image.copy
    handler: tuple[str, ...] = OURS.handler
    sources: list[bytes] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)

    def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
        self.sources.append(source.read_bytes())
        self.wanted.append(wanted)
        lost = ours.render(source, target, wanted)
        image = load(target.read_bytes())
        target.write_bytes(encode(self.change(image), str(image.format)))
        return lost

    def output_key(self, key: str) -> str:
        return OURS.output_key(key)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (ImageOps.mirror, "its pixels differ"),
        (ImageOps.flip, "its pixels differ"),
        (ImageOps.invert, "its pixels differ"),
        (lambda image: image.resize((image.width - 2, image.height)), r"it has \d+ x \d+ pixels"),
    ],
)
def test_a_changed_picture_is_found(change: Callable[[Image.Image], Image.Image], finding: str, judges: Judges) -> None:
    changed = Changed(lambda image: change(image.convert("RGB")))
    seeds = [FIRST["pixels"] + number for number in range(5)]
    found = find_wrong(seeds, changed, judges)
    assert list(found) == seeds
    assert all(re.match(finding, wrong) for wrong in found.values())


def test_another_format_is_found(judges: Judges) -> None:
    class AlwaysGif(Changed):
        def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
            super().render(source, target, wanted)
            target.write_bytes(encode(load(target.read_bytes()), "GIF"))
            return ()

    wanted = [FIRST["pixels"] + number for number in range(10)]
    assert set(find_wrong(wanted, AlwaysGif(), judges).values()) == {"it is gif"}


def test_a_loss_that_is_not_named_is_found(judges: Judges) -> None:
    class Silent(Changed):
        def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
            ours.render(source, target, wanted)
            return ()

    depth = FIRST["depth_map"]
    assert find_wrong([depth], Silent(), judges) == {depth: "lost, and not named"}


def test_an_output_of_a_broken_source_is_found(judges: Judges) -> None:
    class Lenient(Changed):
        def render(self, source: Path, target: Path, wanted: Wanted) -> Collection[str]:
            with contextlib.suppress(Refused):
                return super().render(source, target, wanted)
            target.write_bytes(encode(picture(), "PNG"))
            return ()

    broken = FIRST["broken"]
    assert find_wrong([broken], Lenient(), judges) == {broken: "not refused"}


def test_a_handler_that_does_nothing_is_found(judges: Judges) -> None:
    found = find_wrong(HISTORIES, Changed(handler=("true",)), judges)
    assert all(wrong.endswith("missing, though each event was handled") for wrong in found.values())
    assert list(found) == HISTORIES


def test_a_handler_that_reports_each_failure_is_right(judges: Judges) -> None:
    assert find_wrong(HISTORIES, Changed(handler=("false",)), judges) == {}


def test_the_usual_handler_writes_an_older_upload_over_a_newer_one(judges: Judges) -> None:
    overtaken = FIRST["faults: an overtaken invocation"]
    found = find_wrong([overtaken], USUAL, judges)
    assert re.fullmatch(r"the output of .+: it has \d+ x \d+ pixels", found[overtaken])


def test_the_printed_seed_replays_a_failure(judges: Judges, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = [FIRST["orientation"] + 3, FIRST["pixels"] + 7 + 5 * len(KINDS)]
    first, second = Changed(lambda image: ImageOps.mirror(image.convert("RGB"))), Changed(ImageOps.mirror)
    run(seeds, first, judges)
    printed = capsys.readouterr().out
    replayed = [int(seed) for seed in re.findall(r"^--seed (\d+): .+: its pixels differ", printed, re.MULTILINE)]
    assert replayed == seeds
    # In another order, so that no case depends on an earlier one.
    run(replayed[::-1], second, judges)
    assert (second.sources[::-1], second.wanted[::-1]) == (first.sources, first.wanted)
    assert len(set(first.sources)) == len(seeds)


def test_a_crash_of_an_adapter_notes_the_seed(judges: Judges) -> None:
    def crash(_: Image.Image) -> Image.Image:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run([FIRST["pixels"]], Changed(crash), judges)
    assert caught.value.__notes__ == [f"The case: --seed {FIRST['pixels']}"]


SHRINK = (
    "import sys; from PIL import Image; _, source, target, width, height, scale, form = sys.argv; "
    "image = Image.open(source); image.thumbnail((int(width), int(height))); image.save(target); "
    "print('lost frames' if (scale, form) == ('0.5', '') else 'found')"
)
WORDS = "'{source}' '{target}' {width} {height} '{scale}' '{format}'"


def test_a_command_is_an_adapter(tmp_path: Path) -> None:
    source, target = tmp_path / "a source.png", tmp_path / "target.jpeg"
    source.write_bytes(encode(picture(), "PNG"))
    adapter = CommandAdapter(f'{sys.executable} -c "{SHRINK}" {WORDS}', key="small/{key}")
    assert adapter.render(source, target, Wanted(160, 120, 0.5, None)) == ["frames"]
    assert load(target.read_bytes()).size == (160, 120)
    assert adapter.render(source, target, Wanted(160, 120, None, "jpeg")) == []
    assert adapter.output_key("a.jpg") == "small/a.jpg"
    source.write_bytes(b"no image")
    with pytest.raises(Refused, match="cannot identify"):
        adapter.render(source, target, Wanted(160, 120, 0.5, None))
    with pytest.raises(subprocess.CalledProcessError, match="SIGKILL"):
        replace(adapter, command="sh -c 'kill -9 $$'").render(source, target, Wanted(1, 1, None, None))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-command {source}", r"Cannot run no-such-command: No such file or directory: give --render a program"),
        (
            "convert {sauce}",
            r"Cannot fill in --render: 'sauce': use \{source\}, \{target\}, \{width\}, .*\{format\}, and",
        ),
        ("convert {", r"Cannot fill in --render: Single '\{' encountered"),
        ("convert 'a", r"Cannot fill in --render: No closing quotation"),
    ],
)
def test_a_command_that_cannot_run_is_not_judged(command: str, message: str) -> None:
    with pytest.raises(ToolError, match=f"^{message}"):
        CommandAdapter(command).render(Path("a.png"), Path("b.png"), Wanted(1, 1, None, None))


def test_a_module_that_is_no_adapter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "half_a_resizer.py").write_text("def handle(event): ...\ndef render(source, target, wanted): ...\n")
    with pytest.raises(ToolError, match=r"^half_a_resizer has no function output_key: write it as "):
        ModuleAdapter("half_a_resizer")
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance", "no_such_resizer"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Cannot import no_such_resizer: No module named 'no_such_resizer': name")


@pytest.mark.parametrize("option", ["--handle", "--output-key"])
def test_an_option_that_a_module_would_ignore_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["tests.conformance.adapters.ours", option, "x"])
    assert "error: --handle and --output-key need --render: a module has the functions" in capsys.readouterr().err


def test_a_missing_package_is_one_line() -> None:
    script = (
        "import runpy, sys; sys.modules['pyvips'] = None; runpy.run_module('tests.conformance', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: the conformance set needs the package pyvips: "
        "run `pip install -r tools/requirements/dev.txt -r tools/requirements/judges.txt`\n"
    )


def test_the_readme_has_results_of_the_whole_set() -> None:
    rows = re.findall(r"^\| `(.+?)` \|(.+)\|$", README.partition("## Results")[2], re.MULTILINE)
    expected = Counter(str(kind.row) for kind in KINDS)
    for row, cells in rows:
        totals = [sum(map(int, re.findall(r"\d+", cell))) for cell in cells.split("|") if cell.strip() != "-"]
        assert set(totals) == {expected[row]}, row
    assert [row for row, _ in rows] == list(expected)
    assert f"0 to {len(KINDS) - 1} are the whole set" in README
