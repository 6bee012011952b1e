"""The pages for people as tests read them: what stands in code spans, code blocks and diagrams."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    """A page of docs/."""
    return (ROOT / 'docs' / name).read_text(encoding='utf-8')


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [content for found, content in FENCE.findall(page) if found == language]


def indented(page: str) -> list[str]:
    """Lines of indented code, those that a backslash continues put together."""
    code: list[str] = []
    after_blank = False
    for line in FENCE.sub('', page).splitlines():
        if line.startswith('    ') and (after_blank or (code and code[-1].endswith('\\'))):
            if code and code[-1].endswith('\\'):
                code[-1] = code[-1][:-1] + line.strip()
            else:
                code.append(line.strip())
        after_blank = not line.strip() or (after_blank and line.startswith('    '))
    return code


def spans(page: str) -> list[str]:
    """The contents of code spans."""
    prose = '\n'.join(line for line in FENCE.sub('', page).splitlines() if not line.startswith('    '))
    return [re.sub(r'\s+', ' ', span) for span in re.findall(r'`([^`]+)`', prose)]


def commands(page: str) -> Iterator[list[str]]:
    """Commands in words, from indented code and code spans, without the variables before them."""
    for line in (*indented(page), *spans(page)):
        yield from commands_of(line)


def commands_of(line: str) -> Iterator[list[str]]:
    """The commands of one line, in words."""
    for part in line.split('&&'):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            continue  # quotes that end on another line
        while words and re.match(r'[A-Z_]+=', words[0]):
            words.pop(0)
        if words:
            yield words


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')
