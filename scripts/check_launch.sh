#!/bin/sh
# The launch files under the real launch: what they start gets active, comes back when it is killed, and ends well by one
# SIGINT (test/test_launch_service.py, which is skipped where there is no launch; here that is an error).
#
#   . /opt/ros/jazzy/setup.sh && sh scripts/check_launch.sh
#
# launch and launch_ros come with ROS 2 and are not on PyPI; ros2 itself is used if it is there. The simulator and the
# bags need what pip brings: vla_ros[sim]. PYTHON=python3 names another Python than that of .venv.
set -eu

cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
    PYTHON=${VENV:-.venv}/bin/python
    [ -x "$PYTHON" ] || PYTHON=python3
fi
PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH

missing=
for module in rclpy launch launch_ros lifecycle_msgs mujoco rosbags pytest; do
    "$PYTHON" -c "import $module" 2>/dev/null || missing="$missing $module"
done
if [ -n "$missing" ]; then
    echo "error: $PYTHON cannot import:$missing." \
        'Source ROS 2 (apt install ros-jazzy-ros-base) for rclpy, launch, launch_ros and lifecycle_msgs;' \
        "pip install 'vla_ros[sim,test]' for the rest." >&2
    exit 2
fi

if command -v ros2 >/dev/null; then
    for file in launch/*.launch.py; do
        ros2 launch "$file" --show-args >/dev/null
        echo "ros2 launch $file --show-args: well"
    done
fi
# The plugins that ROS 2 brings for pytest end newer versions of it.
exec "$PYTHON" -m pytest -p no:launch_testing -p no:launch_pytest -p no:launch_ros "$@" test/test_launch_service.py
