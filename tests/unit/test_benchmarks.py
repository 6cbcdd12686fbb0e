"""The benchmark: its images, figures, tables and contestants."""

import io
import itertools
import json
import platform
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import encode, picture
from tools.benchmarks import measure, peers, report, run
from tools.benchmarks.cold import Cold
from tools.benchmarks.job import Job, Wanted
from tools.benchmarks.judge import Judge, Quality, resize_exactly
from tools.benchmarks.measure import Bench
from tools.benchmarks.photos import Size, enlarge
from tools.benchmarks.report import Report
from tools.benchmarks.results import Measured, Ratio, RowResult, take_turns
from tools.benchmarks.rows import ROWS, Row, choose
from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.common.table import Table
from tools.imaging import metrics


def photograph(_: str, size: Size) -> Image.Image:
    """Stand in for a photograph, which would be downloaded."""
    return picture(*size)


def shrink(row: Row) -> Row:
    return replace(row, size=(61, 47) if "odd" in row.name else (64, 48))


# --- the images


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_source_has_the_properties_of_its_row(row: Row) -> None:
    row = shrink(row)
    with Image.open(io.BytesIO(row.encode(photograph))) as made:
        assert (made.format, made.size) == (row.format, row.size)
        assert getattr(made, "n_frames", 1) == (30 if row.format == "GIF" else 1)
        assert bool(made.info.get("progressive")) == ("progressive" in row.name)
        assert made.getexif().get(0x0112, 1) == (6 if row.is_turned else 1)
        if row.format != "GIF":
            # Pillow's settings decide the mode of a GIF.
            modes = {"jpeg-grey": "L", "png-rgba": "RGBA", "png-palette": "P"}
            assert made.mode == modes.get(row.name, "RGB")
        if row.format == "TIFF":
            assert made.info["compression"] == row.options.get("compression", "raw")


def test_a_source_is_deterministic_and_made_once(tmp_path: Path) -> None:
    row = shrink(ROWS[0])
    path = row.source(tmp_path, photograph)
    assert path.read_bytes() == row.encode(photograph)

    def refuse(_: str, __: Size) -> Image.Image:
        raise AssertionError

    assert row.source(tmp_path, refuse) == path


@pytest.mark.parametrize("size", [(30, 20), (64, 48), (211, 97), (400, 900)])
def test_an_enlarged_photograph_has_the_colours_of_the_original(size: Size) -> None:
    photo = picture(64, 48)
    large = enlarge(photo, size)
    assert large.size == size
    assert large.tobytes() == enlarge(photo, size).tobytes()
    fitted = np.asarray(large.resize((4, 4), Image.Resampling.BOX), float)
    scale = max(size[0] / 64, size[1] / 48)
    across, down = size[0] / scale / 2, size[1] / scale / 2
    box = (32 - across, 24 - down, 32 + across, 24 + down)
    expected = np.asarray(photo.resize((4, 4), Image.Resampling.BOX, box=box), float)
    assert np.abs(fitted - expected).max() < 12


def test_an_enlarged_photograph_keeps_areas_of_detail() -> None:
    half = Image.new("RGB", (64, 64), "grey")
    half.paste(Image.effect_noise((32, 64), 60).convert("RGB"), (0, 0))
    large = np.asarray(enlarge(half, (256, 256)).convert("L"), float)
    fine = np.abs(np.diff(large, axis=0))
    assert fine[:, :100].mean() > 3 * fine[:, 156:].mean()


# --- the figures


def make_grey(value: int, alpha: int = 255) -> metrics.Pixels:
    return metrics.pixels(Image.new("RGBA", (32, 32), (value, value, value, alpha)))


def test_psnr_of_known_differences() -> None:
    assert metrics.psnr([(make_grey(100), make_grey(100))]) == metrics.IDENTICAL
    # A difference of one everywhere: 20 log10 255.
    assert metrics.psnr([(make_grey(100), make_grey(101))]) == pytest.approx(48.1308, abs=1e-3)
    # In one of two frames, the difference is half the error.
    assert metrics.psnr([(make_grey(100), make_grey(101)), (make_grey(7), make_grey(7))]) == pytest.approx(
        51.1411, abs=1e-3
    )
    # Values are premultiplied: alpha counts, the colours of transparent pixels do not.
    assert metrics.psnr([(make_grey(0, alpha=0), make_grey(255, alpha=0))]) == metrics.IDENTICAL
    assert metrics.psnr([(make_grey(0, alpha=254), make_grey(0, alpha=255))]) == pytest.approx(
        48.1308 + 6.0206, abs=1e-3
    )


def test_ssim_of_known_cases() -> None:
    one = metrics.luma(metrics.pixels(picture(40, 30, "RGBA")))
    assert metrics.ssim(one, one) == pytest.approx(1, abs=1e-5)
    # Flat planes have no structure, which leaves (2ab + C1) / (a^2 + b^2 + C1).
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert metrics.ssim(metrics.luma(make_grey(100)), metrics.luma(make_grey(150))) == pytest.approx(expected, abs=1e-3)
    noise = np.asarray(Image.effect_noise((64, 64), 80), np.float32)
    assert metrics.ssim(noise, 255 - noise) < 0


def test_the_reference_weights_colours_by_their_opacity() -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 255))
    image.paste((0, 255, 0, 0), (0, 0, 16, 32))
    reference = resize_exactly(image, (2, 2))
    assert reference[..., 1].max() == pytest.approx(0, abs=0.01)


def test_outputs_are_judged_by_orientation_format_size_and_content() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    judge = Judge(encode(picture(64, 48).transpose(Image.Transpose.ROTATE_90), exif=exif))
    wanted = Wanted("JPEG", 32, 24)
    good = judge.judge(encode(picture(32, 24), quality=95), wanted)
    assert not good.fault
    assert (good.psnr or 0) > 30
    assert (good.ssim or 0) > 0.95
    assert judge.judge(encode(picture(24, 32)), wanted).fault == "is 24 x 32, not 32 x 24"
    assert judge.judge(encode(picture(32, 24), "PNG"), wanted).fault == "is PNG"
    assert judge.judge(encode(Image.new("RGB", (32, 24))), wanted).fault == "does not show its source"
    assert judge.judge(b"nothing", wanted).fault.startswith("does not decode")


def test_missing_frames_are_a_fault() -> None:
    frames = [picture(64, 48).rotate(90 * turn) for turn in range(4)]
    judge = Judge(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert judge.judge(encode(picture(32, 24), "GIF"), Wanted("GIF", 32, 24)).fault == "has 1 of 4 frames"


# --- a run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Measure two tiny rows with the contestants that need nothing installed; sharp is missing."""
    folder = tmp_path_factory.mktemp("bench")
    own = [peers.python_peer(name, "Pillow") for name in ("ours", "usual", "parts")]
    everyone = (*own, peers.Peer("sharp", missing="not installed: it needs node and npm"))
    (three,), (gif,) = choose("jpeg-three", quick=False), choose("gif-flat", quick=False)
    rows = [replace(three, size=(800, 600)), shrink(gif)]
    measured = Bench(folder, photograph, everyone, rounds=2).measure_all(rows, lambda _: None)
    return Report("2026-01-01", "a machine", 2, True, everyone, measured)


def test_every_contestant_runs_every_round_and_its_outputs_are_judged(found: Report) -> None:
    three, gif = found.rows
    assert set(three.measured) == {"ours", "usual", "parts"}
    for one in three.measured.values():
        assert len(one.cpu) == 2
        assert min(one.cpu) > 0
        assert one.peak_bytes > 0
        assert len(one.sizes) == 3
        assert not one.quality.fault
    assert not gif.measured["ours"].quality.fault
    assert gif.measured["usual"].quality.fault == "has 1 of 30 frames"
    assert gif.absent["parts"] == "only for several renditions"


def test_the_worst_output_counts() -> None:
    (row,) = choose("jpeg-three", quick=False)
    row = replace(row, size=(64, 48))
    judge = Judge(encode(picture(64, 48)))
    good, bad = (encode(picture(32, 24), quality=quality) for quality in (95, 5))
    last = encode(picture(320, 240), "WEBP", quality=95)
    small = encode(picture(16, 12), quality=95)
    assert measure._find_worst_quality(judge, row, [bad, small, last]).psnr == judge.judge(bad, row.outputs[0]).psnr
    assert measure._find_worst_quality(judge, row, [good, b"", last]).fault.startswith("does not decode")


def test_the_tables_show_missing_contestants_and_faulty_outputs(found: Report) -> None:
    cpu, *_, details = found.tables()
    assert {row[cpu.columns.index("/ sharp")] for row in cpu.rows} == {"not installed"}
    assert cpu.rows[1][cpu.columns.index("/ usual")].endswith(" wrong")
    assert "wrong: has 1 of 30 frames" in details.text()
    assert str(found.peers[-1]) == "sharp: not installed: it needs node and npm"


def test_another_contestant_begins_each_round() -> None:
    times = itertools.count()
    runs = {name: lambda: float(next(times)) for name in "abc"}
    assert take_turns(runs, 2) == {"a": (0, 5), "b": (1, 3), "c": (2, 4)}


def test_a_table_is_aligned_and_is_also_markdown() -> None:
    table = Table("Heading", ("who", "ms"), (("ours", "1"), ("us", "20")))
    assert table.text().splitlines() == ["Heading", "WHO   MS", "ours   1", "us    20"]
    assert table.markdown().splitlines() == [
        "## Heading",
        "",
        "| who | ms |",
        "| --- | ---: |",
        "| ours | 1 |",
        "| us | 20 |",
    ]


def test_the_document_gets_all_tables_and_keeps_its_prose(found: Report, tmp_path: Path) -> None:
    cold = Cold({"ours": (1.0,), "plain": (2.0,)}, (), ())
    whole = replace(found, cold=cold)
    headings = [table.heading.split()[0] for table in whole.tables()]
    assert headings == ["CPU", "Formats", "Missed", "Measurements", "Cold"]
    document = tmp_path / "document.md"
    document.write_text(f"prose\n\n{report.MARK}\n\nolder figures\n")
    whole.write(document)
    text = document.read_text()
    assert text.startswith(f"prose\n\n{report.MARK}\n\nMeasured on 2026-01-01 with 2 rounds, on a machine.\n")
    assert "older figures" not in text
    assert all(table.markdown() in text for table in whole.tables())
    assert report.MARK in run.DOCUMENT.read_text()


def test_the_json_has_every_round_target_and_figure(found: Report) -> None:
    three = json.loads(found.as_json())["rows"][0]
    assert len(three["measured"]["ours"]["cpu"]) == 2
    assert three["targets"] == {"CPU / parts": 1.3}
    assert three["figures"]["CPU / parts"] > 0


def test_a_failing_contestant_says_why(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"no image")
    job = Job(str(tmp_path / "source"), str(tmp_path), (Wanted("JPEG", 1, 1, 0.5),))
    with measure.Worker.started(peers.python_peer("usual", ""), job) as worker:
        for _ in range(2):
            with pytest.raises(measure.FailedError, match="cannot identify image file"):
                worker.run()
    with (
        measure.Worker.started(peers.python_peer("nobody", ""), job) as worker,
        pytest.raises(measure.FailedError, match="its process ended"),
    ):
        worker.run()


# --- rows and targets


def test_rows_have_unique_names_and_targets() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(row.targets for row in ROWS)


def test_an_unknown_row_is_one_line() -> None:
    with pytest.raises(ToolError, match=r"^No row jpeg-13mp: use one of jpeg-2mp, .*tiff-lzw, curves, cold, latency$"):
        choose("jpeg-13mp", quick=False)


def test_a_part_has_no_rows() -> None:
    assert choose("curves", quick=False) == []


def test_a_quick_run_has_small_images() -> None:
    assert [row.size for row in choose("jpeg-12mp", quick=True)] == [(1000, 750)]


def test_write_needs_all_rows() -> None:
    for only, quick in (("jpeg-12mp", False), ("", True)):
        with pytest.raises(ToolError, match=r"^--write needs all rows"):
            run.run(only, 1, print, quick=quick, write=True)


def make_measured(cpu: float, psnr: float = 40.0, size: int = 100) -> Measured:
    return Measured((cpu, 2 * cpu), 10 * size, (size,), Quality(psnr, psnr / 100))


def test_figures_and_missed_targets() -> None:
    row = RowResult(
        "row", "Row", 1000, 1, {"ours": make_measured(1), "usual": make_measured(4, psnr=42, size=200)}, {}, {}
    )
    figures = row.figures()
    names = ["CPU / usual", "memory / usual", "bytes / usual", "bytes / source", "PSNR, dB"]
    names += ["PSNR below usual, dB", "SSIM below usual"]
    assert [figures[name] for name in names] == pytest.approx([0.25, 0.5, 0.5, 0.1, 40, 2, 0.02])
    targets = {"CPU / usual": 0.2, "CPU / sharp": 0.2, "memory / usual": 0.5, "PSNR, dB": 41, "bytes / source": 1}
    assert list(replace(row, targets=targets).missed_targets()) == [
        ("CPU / usual", 0.2, 0.25),
        ("PSNR, dB", 41, 40),
    ]


def test_the_spread_of_a_ratio_is_the_margin_or_further_rounds() -> None:
    assert str(Ratio.of((1, 2, 1), (4, 4, 4))) == "0.25 (0.19-0.50)"
    assert str(Ratio.of((4, 2, 4), (4, 4, 4))) == "1.00 (0.50-1.30)"
    assert str(Ratio.of((1,), (1,))) == "1.00 (0.77-1.30)"


def test_every_target_is_a_figure() -> None:
    everyone = {peer: make_measured(1) for peer in ("ours", "usual", "sharp", "limit", "parts")}
    figures = RowResult("row", "Row", 1000, 1, everyone, {}, {}).figures()
    assert {name for row in ROWS for name in row.targets} <= figures.keys()


# --- peers


def test_our_allocator_settings_are_the_modules() -> None:
    module = (ROOT / "terraform" / "modules" / "function" / "main.tf").read_text()
    stated = re.search(r"allocator = \{ (.*) \}", module)
    assert stated is not None
    assert dict(re.findall(r'(\w+) = "(\d+)"', stated[1])) == peers.DEPLOYED


def test_contestants_that_are_not_installed_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peers, "_output", lambda *_: "")

    def refuse(*_: object) -> Path:
        raise ToolError("Cannot fetch the packages of thumbor.txt")

    monkeypatch.setattr(locked, "virtual_environment", refuse)
    missing = {peer.name: peer.missing for peer in peers.find_peers(tmp_path, pytest.fail) if peer.missing}
    assert missing == {
        "sharp": "not installed: it needs node and npm",
        "pyvips": "not installed: pip install -r tools/requirements/judges.txt",
        "thumbor": "not installed: Cannot fetch the packages of thumbor.txt",
        "limit": "not installed: apt-get install libjpeg-turbo-progs",
    }


def test_every_npm_package_is_pinned_with_its_digest() -> None:
    package, lock = (json.loads(path.read_text()) for path in peers.SHARP_PACKAGES)
    root = lock["packages"].pop("")
    assert root["dependencies"] == package["dependencies"]
    for one in lock["packages"].values():
        assert one["integrity"].startswith("sha512-")
        # An address would choose the registry for everyone.
        assert "resolved" not in one


@pytest.mark.parametrize(
    ("name", "contestant", "reason"),
    [
        ("tiff-raw", "thumbor", "writes PNG"),
        ("jpeg-444", "thumbor", "writes 4:2:0"),
        ("jpeg-12mp", "thumbor", ""),
        ("jpeg-12mp", "limit", ""),
        ("png-photo", "limit", "djpeg and cjpeg cannot do this"),
    ],
)
def test_a_contestant_takes_part_where_it_does_equal_work(name: str, contestant: str, reason: str) -> None:
    (row,) = choose(name, quick=False)
    assert measure._explain_exclusion(row, peers.Peer(contestant)) == reason


def test_a_machine_without_cpuinfo_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(run, "CPUINFO", tmp_path / "missing")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert " cores of an unknown processor, " in run._describe_machine()
