"""``python -m vla_ros.cli``: the command line."""

from vla_ros.cli import main

if __name__ == '__main__':
    main()
