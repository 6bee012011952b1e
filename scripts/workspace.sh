#!/bin/sh
# A colcon workspace in a temporary folder, with a clone of what is committed here: build it, run the linters of ROS
# and the quick tests of what others call (all tests: make test), and let the installed package find its own model.
#
# VENV=dir is the environment with colcon and ROS in it (.venv).
set -eu

cd "$(dirname "$0")/.."
repository=$PWD
VENV=$(cd "${VENV:-.venv}" && pwd)
workspace=$(mktemp -d)
trap 'rm -rf "$workspace"' EXIT

PATH=$VENV/bin:$PATH
AMENT_PREFIX_PATH=$VENV
export PATH AMENT_PREFIX_PATH

git clone --quiet "$repository" "$workspace/src/vla_ros"
cd "$workspace"
colcon build
colcon test --return-code-on-test-failure --pytest-args -m 'linter or not slow' \
    test/test_ament_lint.py test/test_package.py test/test_graph.py test/test_launch.py test/test_action_guard.py
colcon test-result --verbose
install/vla_ros/lib/vla_ros/vla_ros inspect
