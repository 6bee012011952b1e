"""Dual-system Vision-Language-Action models on robots, as a ROS 2 package."""

__version__ = '0.1.0'
