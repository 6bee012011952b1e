"""System 2: visual tokens and words to a chain of thought, a decision and thought vectors. No ROS, no torch."""
