"""docs/benchmarks.md: a run's tables with how they came about."""

from tools.benchmarks.report import contestants, tables
from tools.benchmarks.results import Report
from tools.imaging.photos import PACKAGE, SUBJECTS

HOW = """\
Each figure is of the work inside the function: bytes in, resized bytes out. Ours is `render.render` as it is deployed,
with every check on. CPU is user and system time of all threads. Every contestant has a warm process of its own; they
run in turn, once a round, and who begins changes. A ratio is the median of the rounds, with the lowest and the highest
in brackets. Everyone has quality 75 and the source's chroma subsampling, and else their defaults, but for this:

- **ours** has the settings of glibc's allocator that the Terraform module gives the function; so has **parts**.
- **classic** is Pillow's `thumbnail` and `save`. It turns no picture upright and drops all frames but the first.
- **sharp** has one thread and no cache. Its PNGs of photos have adaptive filters and the lowest deflate level at which
  they are as small as ours; its palette PNG has `palette: true`; its AVIF has effort 4 and 4:2:0.
- **pyvips** is `thumbnail_buffer` with one thread and no cache; its PNGs have all filters, its AVIF is as sharp's.
- **limit** is `djpeg -scale 1/2 | cjpeg`; the start of two processes and the pipe between them are in its figures.
- **parts** is one decode at half size and the encodes, with Pillow; the resizing is not in it.

Memory is the most that the first run adds to the process, beside the source; for limit it is that of the larger of its
two processes, and at least that of the Python that starts them. PSNR and SSIM are against the source decoded in full,
premultiplied and resized with a bicubic filter in floating point; of several outputs the worst is shown. What is wrong
has its reason in the last table; less than 20 dB is wrong. A flat animation counts as near exact from 40 dB.
"""

WHY = """\
## What keeps a figure short of its target

- **PSNR of JPEGs, bytes of PNG photos and WebP.** At one half each pixel is the mean of four, which is what a JPEG's
  own decoder makes at a fraction of the CPU. It keeps more of what is sharp, and of noise, than the bicubic reference:
  more aliasing, and a few more bytes. Of odd sides the decoder's halving also shifts pixels by up to a quarter of one.
- **JPEG, 2 MP.** What an image costs beside its pixels, a millisecond or two, is a tenth of it.
- **JPEG, 4:4:4, against sharp.** Decoding is two thirds of it, and three full channels are decoded and encoded.
- **JPEG, progressive, memory.** libjpeg keeps every coefficient of the source, however far it shrinks it.
- **PNG against sharp.** Decoding the source, which is Pillow's and zlib-ng's, takes half of the time of ours.
- **PNG, palette, against classic.** That picks single pixels and keeps the source's palette, for which its PSNR is
  10 dB and more below anyone's. We take means and make a new palette, which is most of our time.
- **TIFF, LZW, bytes.** The same means; both keep the source's predictor.
"""


def markdown(report: Report) -> str:
    """The whole document."""
    head = [
        "# Benchmarks",
        "",
        f"Measured on {report.date} by `invoke bench --write --rounds {report.rounds}`, on {report.machine}.",
        "",
        "![CPU by the classic handler's](benchmarks.svg)",
        "",
        "Animations are not in the plot: the classic handler does only their first frame.",
        "",
        *(f"- {line}" for line in contestants(report)),
        "",
        "## How",
        "",
        HOW,
        f"The photographs are in the wheel of {PACKAGE}, enlarged with texture and noise:",
        "; ".join(f"`{subject}` ({licence})" for subject, licence in SUBJECTS.items()) + ".",
    ]
    return "\n\n".join(["\n".join(head), *(table.markdown() for table in tables(report)), WHY])
