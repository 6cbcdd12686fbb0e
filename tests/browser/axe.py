"""axe-core, an accessibility checker."""

from tests import npm_files

VERSION = "4.14.1"
INTEGRITY = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def read_script() -> str:
    """Return the script that defines ``axe`` in a page.

    Raises:
        ToolError: The download failed, or its digest differs.

    """
    return (npm_files.unpack("axe-core", VERSION, INTEGRITY) / "axe.min.js").read_text()
