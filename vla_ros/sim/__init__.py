"""The embedded robot: a simulated SO-101 on a table, its cameras, its tasks and a scripted expert. No ROS, no model."""
