"""The only rooms that know ROS 2: thin lifecycle nodes around the pure packages beside them."""
