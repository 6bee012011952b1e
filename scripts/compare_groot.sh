#!/bin/sh
# Compare an imported GR00T N1.7 with Isaac-GR00T's own, on a tiny checkpoint with random weights that Isaac-GR00T writes
# and exports by its own export_onnx_n1d7.py, on the CPU: the largest difference of a chunk must be below 1e-4. Needs .venv
# (make venv) and PyPI; what Isaac-GR00T needs goes to a folder that is removed again, without what it requires for
# data sets, training and CUDA.
#
# SOURCE=dir is a checkout of Isaac-GR00T; without, 49d40d2 is fetched from GitHub (no large files).
# VENV=dir is the environment with torch and transformers (.venv).
set -eu

cd "$(dirname "$0")/.."
python=$(cd "${VENV:-.venv}/bin" && pwd)/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

source=${SOURCE:-$work/source}
if [ ! -d "$source" ]; then
    GIT_LFS_SKIP_SMUDGE=1 git clone --quiet --filter=blob:none --no-checkout https://github.com/NVIDIA/Isaac-GR00T "$source"
    GIT_LFS_SKIP_SMUDGE=1 git -C "$source" checkout --quiet 49d40d23ad8a58b270e8a720c752ed2ae950a621 -- gr00t scripts/deployment
fi
"$python" -m pip install --quiet --target "$work/official" --no-deps \
    transformers==4.57.3 'huggingface-hub<1' 'tokenizers>=0.22,<=0.23.0' diffusers==0.35.1 dm-tree==0.1.9 torchvision==0.28.0 \
    albumentations==1.4.18 albucore==0.0.17 eval-type-backport scikit-image lazy-loader imageio tifffile networkx scipy \
    tyro==0.9.17 docstring-parser shtab typeguard importlib-metadata zipp requests urllib3 charset-normalizer idna certifi \
    attrs absl-py wrapt
PYTHONPATH=$PWD/test:$work/official "$python" test/official_groot.py "$source" "$work/answers" > "$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    exit 1
}
PYTHONPATH=$PWD VLA_ROS_GROOT_ANSWERS=$work/answers \
    "$python" -m pytest -q -s -p no:cacheprovider test/test_groot_official.py
