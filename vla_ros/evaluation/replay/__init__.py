"""Recorded bags, fed through the model again: in lockstep, deterministic, without ROS."""
