"""Markdown as GitHub reads it: the links, headings, anchors, code and commands of a document."""

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
    """A text in Markdown, taken apart.

    Attributes:
        links: Where its links lead, those of its pictures among them.
        pictures: Where its pictures are.
        anchors: What links to its headings may end in.
        code: What stands in back-quotes.
        commands: The lines of its blocks of shell.

    """

    def __init__(self, text: str) -> None:
        tokens = list(_flat(PARSER.parse(text)))
        html = "\n".join(token.content for token in tokens if token.type in {"html_inline", "html_block"})
        self.pictures = [str(token.attrs["src"]) for token in tokens if token.type == "image"]
        self.pictures += HTML_PICTURE.findall(html)
        self.links = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
        self.links += [*self.pictures, *HTML_LINK.findall(html)]
        self.anchors = {*_anchors(tokens), *HTML_ANCHOR.findall(html)}
        self.code = [token.content for token in tokens if token.type == "code_inline"]
        blocks = [token.content for token in tokens if token.type == "fence" and token.info.split()[:1] == ["sh"]]
        self.commands = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]

    @classmethod
    def read(cls, path: Path) -> "Document":
        return cls(path.read_text())


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


def _anchors(tokens: list[Token]) -> set[str]:
    """One for each heading; where one is taken already, with the first number that is free."""
    found: set[str] = set()
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            slug, number = _slug(inline), 0
            while (anchor := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(anchor)
    return found


def _slug(heading: Token) -> str:
    """What is read of a heading, in lower case, with hyphens for spaces and without punctuation."""
    read = "".join(token.content for token in heading.children or [] if token.type in {"text", "code_inline"})
    return re.sub(r"[^\w -]", "", read.lower()).replace(" ", "-")
