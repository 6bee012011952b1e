"""Plain English out of dictionaries, manuals and message definitions: one reader a form, a document at a time."""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

SHORTEST, LONGEST_WORD = 40, 40
"""Characters: lines shorter than this say nothing; longer words are no words."""
PROSE = frozenset(('p', 'div', 'li', 'dd', 'dt', 'title', 'h1', 'h2', 'h3', 'h4'))
SILENT = frozenset(('script', 'style', 'pre', 'nav', 'head', 'footer', 'table'))


def content(path: Path) -> str:
    """The text of a file, also of one in gzip's or dictzip's format."""
    data = path.read_bytes()
    if data[:2] == b'\x1f\x8b':
        data = gzip.decompress(data)
    return data.decode('utf-8', 'replace')


def clean(text: str) -> str:
    """One space or line break where there were several; no control characters, braces of cross-references or links."""
    text = html.unescape(text).replace('�', ' ')
    text = re.sub(r'https?://\S+|\{([^{}]*)\}', r'\1', text)
    text = re.sub(r'[^\S\n]+', ' ', re.sub(r'[\x00-\x08\x0b-\x1f¶]', '', text))
    return re.sub(r' ?\n[ \n]*', '\n', text).strip()


def is_prose(text: str) -> bool:
    """Whether a line is mostly words: long enough, mostly letters, and none of its words endless."""
    letters = sum(c.isalpha() or c.isspace() for c in text)
    longest = max((len(word) for word in text.split()), default=0)
    return len(text) >= SHORTEST and letters > 0.75 * len(text) and longest <= LONGEST_WORD


def prose(text: str) -> str:
    """The lines of a text that are prose; menus, tables and code are not."""
    return '\n'.join(line for line in text.splitlines() if is_prose(line))


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Headword and body of each entry of a dictionary in dictd's text format: headwords begin a line."""
    head = ''
    body: list[str] = []
    for line in text.splitlines():
        if line[:1].strip():
            if head and body:
                yield head, '\n'.join(body)
            head, body = line.strip(), []
        else:
            body.append(line.strip())
    if head and body:
        yield head, '\n'.join(body)


def _joined(body: str) -> str:
    """Lines that were broken at a width, put together; blank ones part paragraphs."""
    return '\n'.join(' '.join(part.split()) for part in re.split(r'\n\s*\n', body))


def gcide(path: Path) -> Iterator[str]:
    """GNU's edition of Webster's: without pronunciations, etymologies and marks of origin."""
    for head, body in entries(content(path)):
        name, _, rest = head.partition(' \\')
        text = f'{rest}\n{body}'
        for _ in range(3):  # brackets within brackets
            text = re.sub(r'\[[^\[\]]*\]', '', text)
        # What is left of the line with the pronunciation: '\, (..), n.; pl. ..'
        text = re.sub(r'^[^\n]*?\\[^\n]*\n', '', text)
        yield clean(f'{name.strip()}: {_joined(text)}')


def wordnet(path: Path) -> Iterator[str]:
    """WordNet's glosses, each sense once a headword, with its examples."""
    for head, body in entries(content(path)):
        text = re.sub(r'\[(syn|ant|also): .*?\]', '', ' '.join(body.split()))
        for sense in re.split(r'(?:(?<=^)|(?<= ))(?:n |v |adj |adv )?\d+: ', text)[1:]:
            yield clean(f'{head}: {sense}')


def foldoc(path: Path) -> Iterator[str]:
    """Entries of a dictionary as they are, without dates of entry."""
    for head, body in entries(content(path)):
        yield clean(
            f'{head}: {_joined(re.sub(r"^.?[(]?[0-9]{4}-[0-9]{2}-[0-9]{2}[)]?$", "", body, flags=re.M))}'
        )


def paragraphs(path: Path) -> Iterator[str]:
    """Every paragraph is a document."""
    for part in re.split(r'\n\s*\n', content(path)):
        yield clean(' '.join(part.split()))


class _Page(HTMLParser):
    """Collects the paragraphs of a page: what stands in PROSE and not in SILENT."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in SILENT
        if tag in PROSE:
            self._depth += 1
            self.found.append('')

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in SILENT))
        self._depth = max(0, self._depth - (tag in PROSE))

    def handle_data(self, data: str) -> None:
        if self._depth and not self._silent and self.found:
            self.found[-1] += data


def page(path: Path) -> Iterator[str]:
    """The prose of an HTML page, without code, tables and navigation: one document."""
    parser = _Page()
    parser.feed(content(path))
    lines = [' '.join(line.split()) for line in parser.found]
    yield clean('\n'.join(line for line in lines if len(line.split()) > 2))


def manual(path: Path) -> Iterator[str]:
    """A manual page in troff's man macros: the words of it."""
    if path.is_symlink():
        return
    lines = []
    for line in content(path).splitlines():
        if line.startswith(('.SH', '.SS', '.B ', '.I ', '.BR', '.IR', '.BI')):
            lines.append(line.split(' ', 1)[-1] if ' ' in line else '')
        elif line.startswith(('.TP', '.P', '.HP', '.IP')) or not line.strip():
            lines.append('\n\n')
        elif not line.startswith(('.', "'", '\\"')):
            lines.append(line)
    text = re.sub(r'\\f\w|\\f\(\w\w|\\\w?"?|"', '', '\n'.join(lines))
    yield clean('\n'.join(' '.join(part.split()) for part in re.split(r'\n\s*\n', text)))


def comments(path: Path) -> Iterator[str]:
    """What the authors of a ROS message wrote beside its fields."""
    said = [line.split('#', 1)[1].strip(' #-=') for line in content(path).splitlines() if '#' in line]
    yield clean(f'{path.stem}: ' + ' '.join(said))


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    'gcide': gcide,
    'wordnet': wordnet,
    'foldoc': foldoc,
    'paragraphs': paragraphs,
    'html': page,
    'man': manual,
    'comments': comments,
}
"""How a file of each form is read."""
