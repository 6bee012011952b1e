"""The eyes: pixels to visual tokens. No ROS, no torch."""
