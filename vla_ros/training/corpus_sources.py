"""Where the English comes from: Debian packages, each with what is taken from it and under which licence.

Nothing of it is in this repository: ``apt-get download`` fetches the packages, and the text stays where it is unpacked.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vla_ros.training.plain_text import READERS
from vla_ros.types import VlaError

GENERAL, DOMAIN = 'general', 'domain'
DOWNLOAD_TIME = 600
"""Seconds after which a download that does not come to an end is given up."""


@dataclass(frozen=True)
class Source:
    """Text of one Debian package.

    Attributes:
        subject: GENERAL or DOMAIN; the latter is what continued pre-training is for.
        files: glob patterns inside the package.
        form: how its files are read, a key of ``plain_text.READERS``.
        licence: of the text, as the package's copyright file has it.
        most: bytes of plain text to keep at most, so that no single source is most of the corpus.
    """

    package: str
    subject: str
    files: tuple[str, ...]
    form: str
    licence: str
    most: int = 12_000_000


_INDEX = re.compile('genindex|search|modindex|-example')
_DICTD = ('usr/share/dictd/*.dict.dz',)
_ROS_MESSAGES = ('usr/share/*/msg/*.msg', 'usr/share/*/srv/*.srv')

SOURCES = (
    Source('dict-gcide', GENERAL, _DICTD, 'gcide', 'GPL-2.0-or-later'),
    Source('dict-wn', GENERAL, _DICTD, 'wordnet', 'WordNet-3.0', most=8_000_000),
    Source('dict-foldoc', GENERAL, _DICTD, 'foldoc', 'GFDL-1.1-or-later'),
    Source('dict-jargon', GENERAL, _DICTD, 'foldoc', 'public domain'),
    Source('dict-devil', GENERAL, _DICTD, 'paragraphs', 'public domain'),
    Source('gnome-user-docs', GENERAL, ('usr/share/help/C/gnome-help/*.page',), 'html', 'CC-BY-SA-3.0'),
    Source('postgresql-doc-15', GENERAL, ('**/html/*.html',), 'html', 'PostgreSQL'),
    Source('python3.11-doc', GENERAL, ('usr/share/doc/python3.11/html/*/*.html',), 'html', 'PSF-2.0'),
    Source(
        'morse-simulator-doc', DOMAIN, ('**/html/user/**/*.html', '**/html/*.html'), 'html', 'BSD-3-Clause'
    ),
    Source('linuxcnc-uspace', DOMAIN, ('usr/share/man/man?/*',), 'man', 'GPL-2.0-or-later'),
    Source('libvisp-doc', DOMAIN, ('**/html/tutorial*.html',), 'html', 'GPL-2.0-or-later'),
    Source('python-can-doc', DOMAIN, ('**/html/*.html',), 'html', 'LGPL-3.0'),
    *(
        Source(f'ros-{name}-msgs', DOMAIN, _ROS_MESSAGES, 'comments', 'BSD-3-Clause')
        for name in ('actionlib', 'diagnostic', 'geometry', 'nav', 'sensor', 'trajectory', 'visualization')
    ),
)


def download(package: str, folder: Path) -> Path:
    """The package unpacked below ``folder``, without installing it; what is there already is not fetched again.

    Raises:
        VlaError: no apt here, or it cannot fetch the package.
    """
    root = folder / package
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    _run(['apt-get', 'download', package], folder)
    unfinished = folder / f'{package}.part'
    _run(['dpkg-deb', '-x', _archive(package, folder).name, unfinished.name], folder)
    unfinished.rename(root)
    return root


def version(package: str, folder: Path) -> str:
    """The version of a package that was downloaded to ``folder``."""
    return _run(['dpkg-deb', '-f', _archive(package, folder).name, 'Version'], folder).strip()


def _archive(package: str, folder: Path) -> Path:
    found = sorted(folder.glob(f'{package}_*.deb'))
    if not found:
        raise VlaError(f'apt-get download {package}: expected a .deb in {folder}, found none')
    return found[-1]


def documents(source: Source, root: Path) -> Iterator[str]:
    """The documents of a source, unpacked at ``root``, as plain text, in the order of their files.

    More than ``source.most`` is thinned out evenly, so that no dictionary ends at the letter D.
    """
    paths = sorted({path for pattern in source.files for path in root.glob(pattern)})
    good = [
        path for path in paths if path.is_file() and not path.is_symlink() and not _INDEX.search(path.name)
    ]
    texts = [text for path in good for text in READERS[source.form](path)]
    share = source.most / max(1, sum(len(text) for text in texts))
    for number, text in enumerate(texts):
        if int((number + 1) * min(share, 1.0)) > int(number * min(share, 1.0)):
            yield text


def _run(command: list[str], folder: Path) -> str:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, timeout=DOWNLOAD_TIME
        )
    except FileNotFoundError as error:
        raise VlaError(f'{command[0]} is missing; the corpus is made from Debian packages') from error
    except subprocess.SubprocessError as error:
        said = str(getattr(error, 'stderr', '') or error).strip().splitlines()
        raise VlaError(f'{" ".join(command)}: {said[-1] if said else "failed"}') from error
    return ended.stdout
