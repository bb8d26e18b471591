"""What was built is whole and needs no network: `python docs/_ext/check_site.py docs/_build/html`.

Every link within the site has its end, its anchor too; no page, style or script loads anything from
elsewhere; every public name has its page.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
LOADING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect"}
OF_STYLES = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"])((?:https?:)?//[^)'"]+)""")


class Page(HTMLParser):
    """What a page links to, what it loads, and what in it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one tag says."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADS and given.get(LOADS[tag]):
            self.loads.append(given[LOADS[tag]])
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").split()):
            self.loads.append(given.get("href", ""))
        self.loads += OF_STYLES.findall(given.get("style", ""))


def faults(site: Path) -> list[str]:
    """Whatever is wrong with a site, a line each."""
    pages = {
        file.resolve(): Page(file.read_text(encoding="utf-8"))
        for file in site.rglob("*.html")
        if file.parent.name != "_static"  # templates of the theme
    }
    found = []
    for file, page in pages.items():
        where = file.relative_to(site.resolve())
        for load in page.loads:
            parts = urlsplit(load)
            if parts.scheme in ("http", "https") or load.startswith("//"):
                found.append(f"{where} loads {load}")
            elif parts.scheme != "data" and not (file.parent / unquote(parts.path)).is_file():
                found.append(f"{where} loads {load}, which is not there")
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            end = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not end.is_file():
                found.append(f"{where} links to {link}, which is not there")
            elif end in pages and unquote(parts.fragment) not in {"", *pages[end].anchors}:
                found.append(f"{where} links to {link}, which has no such part")
    for file in site.rglob("*.css"):
        for load in OF_STYLES.findall(file.read_text(encoding="utf-8")):
            found.append(f"{file.relative_to(site)} loads {load}")
    return found + missing_names(pages)


def missing_names(pages: dict[Path, Page]) -> list[str]:
    """Public names that can be found on no page."""
    from public import public_names

    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    return [f"{name.full} has no page" for name in public_names() if name.full not in anchors]


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]
    wrong = sorted(set(faults(Path(sys.argv[1]))))
    print("\n".join(wrong) or "Every link has its end, and nothing comes from elsewhere.")
    sys.exit(bool(wrong))
