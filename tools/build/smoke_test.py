"""Tests an unpacked package; runs in a clean interpreter with the standard library and the package only."""

import importlib.util
import io
import sys
from pathlib import Path

PACKAGE = Path(sys.argv[1]).resolve()
WRITTEN_AS = {name: name for name in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF")}

sys.path.insert(0, str(PACKAGE))

from PIL import Image, ImageCms  # noqa: E402

from aws import events  # noqa: E402, F401 - importing it is the test
from imaging.formats import heif  # noqa: E402
from imaging.limits import Limits  # noqa: E402
from imaging.render import render  # noqa: E402
from renditions import Rendition  # noqa: E402

for module in (Image, sys.modules["imaging.render"]):
    if not Path(str(module.__file__)).is_relative_to(PACKAGE):
        sys.exit(f"{module.__name__} was imported from {module.__file__}, not from the package")

if importlib.util.find_spec("c2pa"):
    from imaging import content_credentials  # noqa: F401 - importing it loads the library

profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
for name, expected in (WRITTEN_AS | ({"HEIF": "JPEG"} if heif.IS_BUILT_IN else {})).items():
    source = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(source, name, icc_profile=profile)
    (output,) = render(source.getvalue(), [Rendition("resized", scale=0.5)], limits=Limits(1 << 30)).outputs
    with Image.open(io.BytesIO(output.body)) as image:
        image.load()
        if (image.format, image.size) != (expected, (128, 128)):
            sys.exit(f"a {name} of 256 x 256 became a {image.format} of {image.size}")
