#!/bin/sh
# Compare an imported SmolVLA with LeRobot's own, on a tiny checkpoint with random weights that LeRobot writes: the
# largest difference of a chunk must be below 1e-4. Needs .venv (make venv) and PyPI; LeRobot goes to a folder that is
# removed again, without what it requires for training, robots and simulators.
#
# VENV=dir is the environment with torch and transformers (.venv).
set -eu

cd "$(dirname "$0")/.."
python=$(cd "${VENV:-.venv}/bin" && pwd)/python
official=$(mktemp -d)
trap 'rm -rf "$official"' EXIT

"$python" -m pip install --quiet --target "$official" --no-deps \
    lerobot==0.4.4 torchvision==0.28.0 \
    aiohttp anyio av cachebox certifi charset-normalizer cloudpickle datasets==4.1.1 deepdiff 'dill<0.4.1' docopt draccus==0.10.0 \
    einops farama-notifications fsspec gymnasium h11 httpcore httpx idna imageio imageio-ffmpeg importlib-metadata \
    jsonlines mergedeep multiprocess mypy-extensions num2words orderly-set pandas pyarrow pyserial python-dateutil pytz \
    pyyaml-include requests six sniffio termcolor typing-inspect typing-inspection tzdata urllib3 xxhash zipp
PYTHONPATH=$PWD:$official OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} \
    "$python" -m pytest -q -s -p no:cacheprovider test/test_smolvla_official.py
