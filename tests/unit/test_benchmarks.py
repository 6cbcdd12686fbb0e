"""The benchmark: its images are what they say, its figures are right, and what is missing or wrong is said so."""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import encoded, picture
from tools.benchmarks import document, measure, peers, plot, report, run, targets
from tools.benchmarks.inputs import INPUTS, Input
from tools.benchmarks.job import Job, Wanted
from tools.benchmarks.measure import Bench
from tools.benchmarks.results import Cold, Contestant, Measured, Report, RowResult, Target
from tools.benchmarks.rows import ROWS, Row, chosen
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.common.pricing import Workload
from tools.common.table import Table
from tools.imaging import quality
from tools.imaging.photos import Size, enlarged
from tools.imaging.quality import Judge, Quality


def photograph(_: str, size: Size) -> Image.Image:
    """In place of the real one, which has to be downloaded."""
    return picture(*size)


def tiny(image: Input) -> Input:
    return replace(image, size=(61, 47) if "odd" in image.name else (64, 48))


def tiny_row(name: str) -> Row:
    (row,) = chosen(name, quick=False)
    return replace(row, image=tiny(row.image))


# --- the images


@pytest.mark.parametrize("image", INPUTS, ids=lambda image: image.name)
def test_an_input_is_what_it_says(image: Input) -> None:
    body = tiny(image).encoded(photograph)
    with Image.open(io.BytesIO(body)) as made:
        assert (made.format, made.size) == (image.format, tiny(image).size)
        assert getattr(made, "n_frames", 1) == (30 if image.format == "GIF" else 1)
        assert bool(made.info.get("progressive")) == ("progressive" in image.name)
        assert made.getexif().get(0x0112, 1) == (6 if image.is_turned else 1)
        if image.format != "GIF":
            # A GIF's is a setting of Pillow's.
            modes = {"jpeg-grey": "L", "png-rgba": "RGBA", "png-palette": "P"}
            assert made.mode == modes.get(image.name, "RGB")
        if image.format == "TIFF":
            assert made.info["compression"] == image.options.get("compression", "raw")


def test_an_input_is_always_the_same_and_made_once(tmp_path: Path) -> None:
    image = tiny(INPUTS[0])
    path = image.cached(tmp_path, photograph)
    assert path.read_bytes() == image.encoded(photograph)

    def unwanted(_: str, __: Size) -> Image.Image:
        raise AssertionError

    assert image.cached(tmp_path, unwanted) == path


@pytest.mark.parametrize("size", [(30, 20), (64, 48), (211, 97), (400, 900)])
def test_a_photograph_is_enlarged_to_any_size_and_stays_itself(size: Size) -> None:
    photo = picture(64, 48)
    large = enlarged(photo, size)
    assert large.size == size
    assert large.tobytes() == enlarged(photo, size).tobytes()
    fitted = np.asarray(large.resize((4, 4), Image.Resampling.BOX), float)
    scale = max(size[0] / 64, size[1] / 48)
    across, down = size[0] / scale / 2, size[1] / scale / 2
    box = (32 - across, 24 - down, 32 + across, 24 + down)
    expected = np.asarray(photo.resize((4, 4), Image.Resampling.BOX, box=box), float)
    assert np.abs(fitted - expected).max() < 12


def test_an_enlarged_photograph_has_detail_where_the_original_had_some() -> None:
    half = Image.new("RGB", (64, 64), "grey")
    half.paste(Image.effect_noise((32, 64), 60).convert("RGB"), (0, 0))
    large = np.asarray(enlarged(half, (256, 256)).convert("L"), float)
    fine = np.abs(np.diff(large, axis=0))
    assert fine[:, :100].mean() > 3 * fine[:, 156:].mean()


# --- the figures


def grey(value: int, alpha: int = 255) -> quality.Pixels:
    return quality.pixels(Image.new("RGBA", (32, 32), (value, value, value, alpha)))


def test_psnr_of_known_differences() -> None:
    assert quality.psnr([(grey(100), grey(100))]) == quality.IDENTICAL
    # A difference of one everywhere: 20 log10 255.
    assert quality.psnr([(grey(100), grey(101))]) == pytest.approx(48.1308, abs=1e-3)
    # The same in one of two frames is half of the error.
    assert quality.psnr([(grey(100), grey(101)), (grey(7), grey(7))]) == pytest.approx(51.1411, abs=1e-3)
    # Premultiplied: colours that nobody sees do not count, alpha does.
    assert quality.psnr([(grey(0, alpha=0), grey(255, alpha=0))]) == quality.IDENTICAL
    assert quality.psnr([(grey(0, alpha=254), grey(0, alpha=255))]) == pytest.approx(48.1308 + 6.0206, abs=1e-3)


def test_ssim_of_known_cases() -> None:
    one = quality.luma(quality.pixels(picture(40, 30, "RGBA")))
    assert quality.ssim(one, one) == pytest.approx(1, abs=1e-5)
    # Flat planes have no structure: what is left is (2ab + C1) / (a^2 + b^2 + C1).
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert quality.ssim(quality.luma(grey(100)), quality.luma(grey(150))) == pytest.approx(expected, abs=1e-3)
    noise = np.asarray(Image.effect_noise((64, 64), 80), np.float32)
    assert quality.ssim(noise, 255 - noise) < 0


def test_the_reference_weights_colours_by_their_opacity() -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 255))
    image.paste((0, 255, 0, 0), (0, 0, 16, 32))
    reference = quality.resized(image, (2, 2))
    assert reference[..., 1].max() == pytest.approx(0, abs=0.01)


def test_outputs_are_judged_upright_and_by_their_format_size_and_frames() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    judge = Judge(encoded(picture(64, 48).transpose(Image.Transpose.ROTATE_90), exif=exif))
    wanted = ("JPEG", 32, 24)
    good = judge.judge(encoded(picture(32, 24), quality=95), *wanted)
    assert not good.fault
    assert (good.psnr or 0) > 30
    assert (good.ssim or 0) > 0.95
    assert judge.judge(encoded(picture(24, 32)), *wanted).fault == "is 24 x 32, not 32 x 24"
    assert judge.judge(encoded(picture(32, 24), "PNG"), *wanted).fault == "is PNG"
    assert judge.judge(encoded(Image.new("RGB", (32, 24))), *wanted).fault == "does not show its source"
    assert judge.judge(b"nothing", *wanted).fault.startswith("does not decode")


def test_missing_frames_are_a_fault() -> None:
    frames = [picture(64, 48).rotate(90 * turn) for turn in range(4)]
    judge = Judge(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert judge.judge(encoded(picture(32, 24), "GIF"), "GIF", 32, 24).fault == "has 1 of 4 frames"


# --- a run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Two tiny rows with the contestants that need nothing installed, and one that is missing."""
    folder = tmp_path_factory.mktemp("bench")
    own = [peers._python(name, "Pillow") for name in ("ours", "classic", "parts")]
    everyone = (*own, peers._missing("sharp", "not installed: it needs node and npm"))
    rows = [tiny_row("jpeg-three"), tiny_row("gif-flat")]
    rows[0] = replace(rows[0], image=replace(rows[0].image, size=(800, 600)))
    measured = Bench(folder, photograph, everyone, rounds=2).measure_all(rows, lambda _: None)
    return Report("2026-01-01", "a machine", 2, True, tuple(peer.contestant for peer in everyone), measured)


def test_every_contestant_runs_every_round_and_its_outputs_are_judged(found: Report) -> None:
    three, gif = found.rows
    assert set(three.measured) == {"ours", "classic", "parts"}
    for one in three.measured.values():
        assert len(one.cpu) == 2
        assert min(one.cpu) > 0
        assert one.peak_bytes > 0
        assert len(one.sizes) == 3
        assert not one.quality.fault
    assert not gif.measured["ours"].quality.fault
    assert gif.measured["classic"].quality.fault == "has 1 of 30 frames"


def test_what_is_missing_is_said_so(found: Report) -> None:
    cpu = report.tables(found)[0]
    column = cpu.columns.index("/ sharp")
    assert {row[column] for row in cpu.rows} == {"not installed"}
    assert "sharp: not installed: it needs node and npm" in report.contestants(found)
    assert "not measured" in report.tables(found)[1].text()


def test_what_is_wrong_is_shown_as_wrong(found: Report) -> None:
    cpu, _, details = report.tables(found)
    assert cpu.rows[1][cpu.columns.index("/ classic")].endswith(" wrong")
    assert "wrong: has 1 of 30 frames" in details.text()


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


def test_the_document_has_all_tables_the_date_and_the_machine(found: Report) -> None:
    workload = Workload("ours", cpu=0.1, gets=2, puts=1, moved=1, needed=1)
    cold = Cold({"ours": (1.0,), "plain": (2.0,)}, (), (), (), (), ())
    found = replace(found, workloads=(workload,), cold=cold)
    assert [table.heading.split()[0] for table in report.tables(found)[3:]] == ["US$", "Cold", "Imports", "The"]
    text = document.markdown(found)
    assert all(table.markdown() in text for table in report.tables(found))
    assert "Measured on 2026-01-01" in text
    assert "on a machine" in text


def test_the_json_has_every_round_and_every_verdict(found: Report, tmp_path: Path) -> None:
    run.save(found, tmp_path)
    document_ = json.loads((tmp_path / "results.json").read_text())
    three = document_["rows"][0]
    assert len(three["measured"]["ours"]["cpu"]) == 2
    assert three["targets"][0]["name"] == "CPU / parts"
    assert three["targets"][0]["figure"] > 0


def test_the_plot_shows_each_row_that_has_a_measure_and_what_is_wrong_as_hollow(found: Report) -> None:
    drawing = ET.fromstring(plot.svg(found))  # noqa: S314 - ours
    texts = [element.text for element in drawing.iter("{http://www.w3.org/2000/svg}text")]
    three, gif = found.rows
    assert three.title in texts
    assert gif.title not in texts
    assert "prefers-color-scheme: dark" in plot.svg(found)
    assert 'fill="none"' not in plot.svg(found)
    ours = replace(three.measured["ours"], quality=Quality(None, None, "is wrong"))
    wrong = replace(found, rows=(replace(three, measured={**three.measured, "ours": ours}),))
    assert 'fill="none"' in plot.svg(wrong)


def test_a_plot_without_any_measure_is_still_one(found: Report) -> None:
    ET.fromstring(plot.svg(replace(found, rows=found.rows[1:])))  # noqa: S314 - ours


def test_a_contestant_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"no image")
    job = Job(str(tmp_path / "source"), str(tmp_path), (Wanted("JPEG", 1, 1, 0.5),))
    with measure.Worker.started(peers._python("classic", ""), job) as worker:
        for _ in range(2):
            with pytest.raises(measure.FailedError, match="cannot identify image file"):
                worker.run()
    with (
        measure.Worker.started(peers._python("nobody", ""), job) as worker,
        pytest.raises(measure.FailedError, match="its process ended"),
    ):
        worker.run()


# --- rows and targets


def test_rows_have_names_of_their_own_and_targets() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.image.name for row in ROWS} == {image.name for image in INPUTS}
    assert all(row.targets for row in ROWS)


def test_an_unknown_row_is_a_readable_error() -> None:
    with pytest.raises(ToolError, match=r"^No row jpeg-13mp: use one of jpeg-2mp, .*tiff-lzw$"):
        chosen("jpeg-13mp", quick=False)


def test_a_document_of_part_of_the_rows_is_refused() -> None:
    for only, quick in (("jpeg-12mp", False), ("", True)):
        with pytest.raises(ToolError, match=r"^--write is of all rows"):
            run.run(only, 1, print, quick=quick, write=True)


def measured(cpu: float, psnr: float = 40.0, size: int = 100) -> Measured:
    return Measured((cpu, 2 * cpu), 10 * size, (size,), Quality(psnr, psnr / 100))


def result(**others: Measured) -> RowResult:
    return RowResult("row", "Row", 1000, (), others, {}, ())


@pytest.mark.parametrize(
    ("target", "figure", "verdict"),
    [
        (targets.cpu("classic", 0.5), 0.25, "reached"),
        (targets.cpu("classic", 0.2), 0.25, "short by 0.05"),
        (targets.cpu("sharp", 0.2), None, "not measured"),
        (targets.memory("classic", 0.5), 0.5, "reached"),
        (targets.size("classic", 0.4), 0.5, "short by 0.1"),
        (targets.size_of_source(1.0), 0.1, "reached"),
        (targets.psnr(35), 40.0, "reached"),
        (targets.psnr(41), 40.0, "short by 1"),
        (targets.psnr_below("classic", 0.3), 2.0, "short by 1.7"),
        (targets.ssim_below("classic", 0.03), 0.02, "reached"),
    ],
    ids=lambda value: value.name if isinstance(value, Target) else "",
)
def test_a_target_tells_how_far_it_is_missed(target: Target, figure: float | None, verdict: str) -> None:
    row = result(ours=measured(1), classic=measured(4, psnr=42, size=200))
    assert target.figure(row) == (None if figure is None else pytest.approx(figure))
    assert target.verdict(target.figure(row)) == verdict


# --- peers


def test_ours_is_measured_as_it_is_deployed() -> None:
    module = (ROOT / "terraform" / "modules" / "function" / "main.tf").read_text()
    stated = re.search(r"allocator = \{ (.*) \}", module)
    assert stated is not None
    assert dict(re.findall(r'(\w+) = "(\d+)"', stated[1])) == peers.DEPLOYED


def test_peers_that_cannot_be_had_are_missing_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peers, "_answer", lambda *_: "")
    lines: list[str] = []
    everyone = {peer.name: peer.contestant for peer in peers.peers(tmp_path, lines.append)}
    assert {name for name, one in everyone.items() if one.missing} == {"sharp", "pyvips", "limit"}
    assert everyone["sharp"] == Contestant("sharp", "", "not installed: it needs node and npm")
    assert everyone["limit"].missing.endswith("apt-get install libjpeg-turbo-progs")
    assert everyone["pyvips"].missing.endswith("pip install -r tests/requirements.txt")
    assert lines == []
