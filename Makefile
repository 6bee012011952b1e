# make demo   the demonstration: what it needs goes to .venv (no torch), the results to out/demo
# make test   all tests, with everything in .venv
# make venv   only .venv, with everything
# make lint   ruff, mypy and the walls between the packages
# make clean  removes what the others made, .venv included
#
# PYTHON=python3.12 chooses the Python (3.10 to 3.13), VENV=dir the place of the environment.

SHELL := /bin/sh
VENV ?= .venv
PYTEST_OPTIONS ?= -n 2 --dist loadfile
export PYTHON VENV

# Two cores feel every spinning thread; rclpy checks the types of message fields only when it is asked to.
export OMP_NUM_THREADS ?= 1
test: export ROS_PYTHON_CHECK_FIELDS = 1

.PHONY: demo test venv lint clean

demo:
	@sh scripts/environment.sh demo
	$(VENV)/bin/vla_ros demo

test: venv
	$(VENV)/bin/python -m pytest $(PYTEST_OPTIONS)

venv:
	@sh scripts/environment.sh full

lint: venv
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest -q test/test_walls.py

clean:
	rm -rf .venv out build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
