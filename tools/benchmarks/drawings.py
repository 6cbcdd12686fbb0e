"""Flat graphics and animations for the benchmark, drawn or cut from a photograph."""

import math
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFont

from tools.benchmarks.photos import Photographer, Size
from tools.common.paths import ROOT

FRAMES = 30
TEXT = [line for line in (ROOT / "LICENSE").read_text().splitlines() if line]
"""A text that never changes."""
COLOURS = ("#2563eb", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#0f172a")


def chart(_: Photographer, size: Size) -> Iterator[Image.Image]:
    """Draw a slide with bars, a line, a pie and text: smooth edges around flat areas."""
    width, height = size
    # Draw at twice the size, then halve: ImageDraw's edges are jagged.
    image = Image.new("RGB", (2 * width, 2 * height), "#ffffff")
    draw = ImageDraw.Draw(image)
    unit = 2 * height / 100
    draw.rectangle((0, 0, 2 * width, 12 * unit), fill="#0f172a")
    title = ImageFont.load_default(6 * unit)
    draw.text((4 * unit, 3 * unit), "Images resized, month by month", font=title, fill="#ffffff")
    points = []
    for bar in range(12):
        left = (8 + 7 * bar) * unit
        top = (80 - 50 * math.sin(0.3 + bar / 5) ** 2) * unit
        draw.rectangle((left, top, left + 5 * unit, 88 * unit), fill=COLOURS[bar % len(COLOURS)])
        label = ImageFont.load_default(2.5 * unit)
        draw.text((left, 90 * unit), f"{bar + 1}", font=label, fill="#475569")
        points.append((left + 2.5 * unit, top - 6 * unit))
    draw.line(points, fill="#0f172a", width=max(1, round(unit / 2)), joint="curve")
    start = 0
    for slice_, colour in enumerate(COLOURS):
        end = start + 30 * (slice_ + 1) // 2
        pie = (100 * unit, 20 * unit, 130 * unit, 50 * unit)
        draw.pieslice(pie, start, max(end, start + 1) if slice_ < 5 else 360, fill=colour)
        start = end
    yield image.reduce(2)


def screenshot(_: Photographer, size: Size) -> Iterator[Image.Image]:
    """Draw an editor's window, with twice as many pixels as points: a dark list, and lines of text in colours."""
    width, height = size
    image = Image.new("RGB", size, "#f8fafc")
    draw = ImageDraw.Draw(image)
    line = height / 40
    font = ImageFont.load_default(line * 0.65)
    draw.rectangle((0, 0, width, 2 * line), fill="#e2e8f0")
    draw.rectangle((0, 2 * line, width // 5, height), fill="#0f172a")
    for number, text in enumerate(TEXT[:36]):
        top = (3 + number) * line
        draw.text((line, top), text.strip()[:24], font=font, fill="#cbd5e1")
        draw.text((width // 5 + line, top), f"{number + 1}", font=font, fill="#94a3b8")
        indent = (4 + number % 5) * line
        draw.text((width // 5 + indent, top), text.strip(), font=font, fill=COLOURS[number % len(COLOURS)])
    yield image


def cut_out(photograph: Photographer, size: Size) -> Iterator[Image.Image]:
    """Return a photograph as an oval with a soft edge on a transparent background."""
    photo = photograph("astronaut", size)
    mask = Image.radial_gradient("L").resize(size, Image.Resampling.BICUBIC)
    photo.putalpha(mask.point([max(0, min(255, 4 * (200 - level))) for level in range(256)]))
    yield photo


def pan(photograph: Photographer, size: Size) -> Iterator[Image.Image]:
    """Move a camera over a photograph; each frame has its own palette, as converters write them."""
    width, height = size
    wide = photograph("coffee", (width + 4 * FRAMES, height + 2 * FRAMES))
    for number in range(FRAMES):
        left, top = 4 * number, 2 * number
        yield wide.crop((left, top, left + width, top + height)).quantize(256)


def bounce(_: Photographer, size: Size) -> Iterator[Image.Image]:
    """Draw a bouncing ball in flat colours."""
    width, height = size
    ground = Image.new("RGB", size, "#e0f2fe")
    draw = ImageDraw.Draw(ground)
    draw.rectangle((0, height * 4 // 5, width, height), fill="#10b981")
    draw.ellipse((width // 10, height // 10, width * 3 // 10, height // 10 + width // 5), fill="#f59e0b")
    for number in range(FRAMES):
        frame = ground.copy()
        radius = height // 10
        x = radius + (width - 2 * radius) * number // FRAMES
        y = round(height * 0.7 - height * 0.5 * abs(math.sin(math.pi * number / 10)))
        ball = (x - radius, y - radius, x + radius, y + radius)
        ImageDraw.Draw(frame).ellipse(ball, fill="#ef4444", outline="#0f172a", width=max(1, radius // 8))
        yield frame.quantize(32)
