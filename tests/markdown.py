"""Parse Markdown as GitHub does: the links, headings, anchors, code and commands of a document."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable("table")

HTML_LINK = re.compile(r"""<a\b[^>]*?\shref=["']([^"']*)""")
HTML_PICTURE = re.compile(r"""<img\b[^>]*?\ssrc=["']([^"']*)""")
HTML_ANCHOR = re.compile(r"""<a\b[^>]*?\s(?:id|name)=["']([^"']*)""")


class Document:
    """A parsed Markdown document.

    Attributes:
        links: The targets of its links and pictures.
        pictures: The targets of its pictures.
        anchors: The anchors of its headings, and of HTML anchors.
        code: Its inline code.
        commands: The lines of its `sh` blocks, with continued lines joined.

    """

    def __init__(self, text: str) -> None:
        tokens = list(_flatten(PARSER.parse(text)))
        html = "\n".join(token.content for token in tokens if token.type in {"html_inline", "html_block"})
        self.pictures = [str(token.attrs["src"]) for token in tokens if token.type == "image"]
        self.pictures += HTML_PICTURE.findall(html)
        self.links = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
        self.links += [*self.pictures, *HTML_LINK.findall(html)]
        self.anchors = {*_find_anchors(tokens), *HTML_ANCHOR.findall(html)}
        self.code = [token.content for token in tokens if token.type == "code_inline"]
        blocks = [token.content for token in tokens if token.type == "fence" and token.info.split()[:1] == ["sh"]]
        self.commands = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]

    @classmethod
    def read(cls, path: Path) -> "Document":
        return cls(path.read_text())


def _flatten(tokens: list[Token]) -> Iterator[Token]:
    """Yield tokens and all of their descendants."""
    for token in tokens:
        yield token
        yield from _flatten(token.children or [])


def _find_anchors(tokens: list[Token]) -> set[str]:
    """Return the anchor of each heading; GitHub appends the first free number to a duplicate."""
    anchors: set[str] = set()
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            slug, number = _slugify(inline), 0
            while (anchor := f"{slug}-{number}" if number else slug) in anchors:
                number += 1
            anchors.add(anchor)
    return anchors


def _slugify(heading: Token) -> str:
    """Return a heading's text in lower case, with hyphens instead of spaces and without punctuation."""
    text = "".join(token.content for token in heading.children or [] if token.type in {"text", "code_inline"})
    return re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")
