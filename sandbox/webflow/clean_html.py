"""Product descriptions on the shop page: the tags of a text and nothing that could act."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser

_TAGS = frozenset({
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol",
    "li", "strong", "em", "b", "i", "u", "s", "sub", "sup", "small", "blockquote",
    "code", "pre", "a", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td",
})  # fmt: skip
_VOID = frozenset({"br", "hr"})
_SILENT = frozenset({"script", "style", "template", "noscript", "iframe", "object", "textarea", "title"})


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._open: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _TAGS and not self._silent:
            target = next((value or "" for name, value in attrs if name == "href"), "")
            is_link = tag == "a" and target.lower().startswith(("https://", "http://", "mailto:"))
            self.parts.append(
                f'<a href="{escape(target)}" rel="nofollow noopener">' if is_link else f"<{tag}>"
            )
            if tag not in _VOID:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._open and not self._silent:
            while True:
                last = self._open.pop()
                self.parts.append(f"</{last}>")
                if last == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(escape(data))

    def finish(self) -> str:
        self.close()
        return "".join(self.parts) + "".join(f"</{tag}>" for tag in reversed(self._open))


def clean_html(html: str) -> str:
    """Allowed tags without attributes (links keep an http, https or mailto target); all else is text or gone."""
    cleaner = _Cleaner()
    cleaner.feed(html)
    return cleaner.finish()
