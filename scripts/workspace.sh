#!/bin/sh
# A colcon workspace in a temporary folder, with a clone of what is committed here: build it, run the linters of ROS
# and the quick tests of what others call (all tests: make test), and let the installed package find its own model.
#
# VENV=dir is the environment with colcon and ROS in it (.venv).
set -eu

cd "$(dirname "$0")/.."
repository=$PWD
PATH=$(cd "${VENV:-.venv}/bin" && pwd):$PATH
export PATH
workspace=$(mktemp -d)
trap 'rm -rf "$workspace"' EXIT

git clone --quiet "$repository" "$workspace/src/vla_ros"
cd "$workspace"
colcon build
colcon test --event-handlers console_cohesion+ --return-code-on-test-failure --pytest-args -m 'linter or not slow' \
    test/test_ament_lint.py test/test_package.py test/test_graph.py test/test_graph_environment.py test/test_process.py \
    test/test_launch.py test/test_launch_around.py test/test_action_guard.py
colcon test-result --verbose | tee said
grep -q '^Summary: [1-9]' said || { echo 'error: colcon test ran no tests' >&2; exit 1; }

# What colcon calls to set the environment up minds unset variables no more than a shell of a person does.
set +u
. install/setup.sh
set -u
install/vla_ros/lib/vla_ros/vla_ros inspect > said
head -n 1 said
grep -q "$workspace/install" said || { echo 'error: the installed package did not find its own model' >&2; exit 1; }
