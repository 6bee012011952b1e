"""Recordings on disk, in version 3 of LeRobot's dataset format: parquet for numbers, mp4 for pictures.

Knows no ROS, no model, no simulator and no torch. Needs pyarrow and PyAV, which are imported when they are used.
"""
