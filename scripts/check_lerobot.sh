#!/bin/sh
# Checks datasets against the lerobot package itself: its loader opens what we wrote, and we train a step on what it
# wrote (test/test_dataset_lerobot.py).
#
#   sh scripts/check_lerobot.sh          makes /tmp/lerobot-venv and runs the test
#
# VENV=/path is the environment of the project (.venv), LEROBOT_VENV=/path the place of the throw-away one. lerobot asks
# for other versions of torch and of Hugging Face's libraries than we have, so it gets an environment of its own: it
# takes torch from the project's and brings what its datasets need besides, and no more.
set -eu
cd "$(dirname "$0")/.."
PROJECT=${VENV:-.venv}
THROW_AWAY=${LEROBOT_VENV:-/tmp/lerobot-venv}
PACKAGES="$("$PROJECT/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

if ! [ -e "$THROW_AWAY/.installed" ]; then
    "$PROJECT/bin/python" -m venv --clear "$THROW_AWAY"
    "$THROW_AWAY/bin/python" -c "import pathlib, sysconfig
pathlib.Path(sysconfig.get_path('purelib'), 'project.pth').write_text('$PACKAGES')"
    "$THROW_AWAY/bin/pip" install --no-deps 'lerobot==0.4.4' 'torchvision==0.25.0'
    # lerobot's metadata asks for more than its datasets import: pip says so, and it does no harm.
    "$THROW_AWAY/bin/pip" install 'datasets>=4,<5' 'huggingface-hub>=0.34.2,<0.36' 'av>=15,<16' 'draccus==0.10.0' \
        'deepdiff<9' 'einops<0.9' 'gymnasium<2' jsonlines 'termcolor<4' 'transformers<5' 'accelerate<2'
    touch "$THROW_AWAY/.installed"
fi
PYTHONPATH="$PWD" "$THROW_AWAY/bin/python" -m pytest -q -rs -p no:cacheprovider test/test_dataset_lerobot.py "$@"
