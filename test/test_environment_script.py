"""scripts/environment.sh on machines that lack something, with stand-ins for Python and uname."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ('cat', 'cksum', 'cp', 'dirname', 'mkdir', 'rm', 'sh')

# Answers the questions that the script asks a Python, and writes down what it is told to install.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) echo {version} ;;
    *libc_ver*) exit {libc} ;;
    *ensurepip*) exit {venv} ;;
    '-m venv '*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo > "$3/pyvenv.cfg" && echo "venv $0" >> "$LOG" ;;
    '-m pip --version') ;;
    '-m pip '*) echo "$*" >> "$LOG"; [ -z "$PIP_FAILS" ] ;;
    *'import vla_ros'*) ;;
    *) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""


class Machine:
    """A checkout of the files that the script reads, and a PATH with nothing but what was put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / 'log'
        self.log.touch()
        self.programs = folder / 'programs'
        self.programs.mkdir()
        for tool in TOOLS:
            (self.programs / tool).symlink_to(str(shutil.which(tool)))
        self.checkout = folder / 'checkout'
        (self.checkout / 'scripts').mkdir(parents=True)
        for name in ('scripts/environment.sh', 'constraints.txt', 'setup.py'):
            shutil.copy(ROOT / name, self.checkout / name)
        self.uname('Linux', 'x86_64')

    def program(self, name: str, content: str) -> None:
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(content)
        path.chmod(0o755)

    def uname(self, system: str, processor: str) -> None:
        self.program('uname', f'#!/bin/sh\n[ "$1" = -m ] && echo {processor} || echo {system}\n')

    def python(self, name: str, version: str, *, libc: int = 0, venv: int = 0) -> None:
        self.program(name, PYTHON.format(version=version, libc=libc, venv=venv))

    def run(self, kind: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which('sh') or '/bin/sh', str(self.checkout / 'scripts' / 'environment.sh'), kind],
            capture_output=True,
            text=True,
            env={'PATH': str(self.programs), 'LOG': str(self.log), **variables},
        )

    def installed(self) -> list[str]:
        """What was done so far: 'venv PYTHON' and the arguments of pip."""
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def assert_refused(ended: subprocess.CompletedProcess[str], sentence: str) -> None:
    """One sentence on standard error, and a failure."""
    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert ended.stderr.startswith('error: ')
    assert ended.stderr.count('\n') == 1


def test_given_no_python_when_run_then_it_says_what_to_install(machine: Machine) -> None:
    assert_refused(machine.run('demo'), 'python3 is not installed; install Python 3.10 to 3.13')


@pytest.mark.parametrize('version', ['2.7', '3.9', '3.14'])
def test_given_only_an_unsupported_python_when_run_then_it_says_which_are(
    machine: Machine, version: str
) -> None:
    machine.python('python3', version)

    assert_refused(machine.run('demo'), f'python3 is Python {version} and none of python3.10 to python3.13')


def test_given_an_unsupported_python3_and_supported_ones_when_run_then_the_newest_is_used(
    machine: Machine,
) -> None:
    machine.python('python3', '3.14')
    machine.python('python3.12', '3.12')
    machine.python('python3.10', '3.10')

    assert machine.run('python').stdout == f'{machine.programs / "python3.12"}\n'


def test_given_a_supported_python3_when_run_then_it_comes_first(machine: Machine) -> None:
    machine.python('python3', '3.10')
    machine.python('python3.13', '3.13')

    assert machine.run('python').stdout == f'{machine.programs / "python3"}\n'


def test_given_a_wish_when_run_then_it_is_used_or_refused_but_never_replaced(machine: Machine) -> None:
    machine.python('python3', '3.11')
    machine.python('mine', '3.13')
    machine.python('old', '3.8')

    assert machine.run('python', PYTHON='mine').stdout == f'{machine.programs / "mine"}\n'
    assert_refused(
        machine.run('python', PYTHON='old'), 'PYTHON=old is Python 3.8; name a Python 3.10 to 3.13'
    )
    assert_refused(machine.run('python', PYTHON='none'), 'PYTHON=none is not a program')


@pytest.mark.parametrize(
    ('system', 'processor', 'sentence'),
    [
        ('Linux', 'aarch64', 'for x86_64 only, this processor is aarch64'),
        ('Darwin', 'x86_64', 'for Linux only, this is Darwin'),
    ],
)
def test_given_another_machine_when_run_then_it_says_so(
    machine: Machine, system: str, processor: str, sentence: str
) -> None:
    machine.python('python3', '3.11')
    machine.uname(system, processor)

    assert_refused(machine.run('full'), sentence)
    assert machine.installed() == []


def test_given_no_venv_module_when_run_then_it_names_the_package(machine: Machine) -> None:
    machine.python('python3', '3.11', venv=1)

    assert_refused(
        machine.run('demo'), 'lacks the venv module; install it (Debian, Ubuntu: apt install python3.11-venv)'
    )


def test_given_another_c_library_when_run_then_it_says_so(machine: Machine) -> None:
    machine.python('python3', '3.11', libc=1)

    assert_refused(machine.run('demo'), 'glibc 2.28')


def test_given_a_bare_machine_when_run_for_the_demo_then_no_torch_is_installed(machine: Machine) -> None:
    machine.python('python3', '3.11')

    ended = machine.run('demo')

    assert ended.returncode == 0, ended.stderr
    made, tools, packages = machine.installed()
    assert made == f'venv {machine.programs / "python3"}'
    assert tools == '-m pip install --constraint constraints.txt pip setuptools wheel'
    assert (
        packages == '-m pip install --constraint constraints.txt --no-build-isolation --editable .[ros,sim]'
    )


def test_given_an_environment_when_run_again_then_nothing_is_done(machine: Machine) -> None:
    machine.python('python3', '3.11')
    machine.run('demo')
    done = machine.installed()

    assert machine.run('demo').stdout == '.venv is ready (demo).\n'
    assert machine.installed() == done


def test_given_the_demo_environment_when_run_for_everything_then_it_is_extended(machine: Machine) -> None:
    machine.python('python3', '3.11')
    machine.run('demo')

    machine.run('full')

    assert sum(line.startswith('venv') for line in machine.installed()) == 1
    assert machine.installed()[-1].endswith('.[ros,sim,train,dev]')
    done = machine.installed()
    assert machine.run('demo').returncode == machine.run('full').returncode == 0
    assert machine.installed() == done


@pytest.mark.parametrize('file', ['constraints.txt', 'setup.py'])
def test_given_other_requirements_when_run_then_they_are_installed_into_what_is_there(
    machine: Machine, file: str
) -> None:
    machine.python('python3', '3.11')
    machine.run('full')
    before = len(machine.installed())
    with (machine.checkout / file).open('a') as requirements:
        requirements.write('# changed\n')

    machine.run('full')

    assert len(machine.installed()) == before + 2
    assert sum(line.startswith('venv') for line in machine.installed()) == 1


def test_given_an_environment_whose_python_is_gone_when_run_then_it_is_made_anew(machine: Machine) -> None:
    machine.python('python3', '3.11')
    machine.run('demo')
    (machine.checkout / '.venv' / 'bin' / 'python').unlink()

    assert machine.run('demo').returncode == 0
    assert sum(line.startswith('venv') for line in machine.installed()) == 2


def test_given_an_interrupted_installation_when_run_then_it_is_done_again(machine: Machine) -> None:
    machine.python('python3', '3.11')
    assert machine.run('demo', PIP_FAILS='yes').returncode != 0

    assert machine.run('demo').returncode == 0
    assert machine.installed()[-1].endswith('.[ros,sim]')
    assert machine.run('demo').stdout == '.venv is ready (demo).\n'


def test_given_a_folder_that_is_no_environment_when_named_then_it_is_left_alone(machine: Machine) -> None:
    machine.python('python3', '3.11')
    precious = machine.folder / 'precious'
    precious.mkdir()
    (precious / 'file').touch()

    assert_refused(machine.run('demo', VENV=str(precious)), 'exists and is no virtual environment')
    assert os.listdir(precious) == ['file']


def test_given_an_unknown_wish_when_run_then_it_says_which_there_are(machine: Machine) -> None:
    machine.python('python3', '3.11')

    assert_refused(machine.run('everything'), "expected one of demo, full, python; found 'everything'.")
