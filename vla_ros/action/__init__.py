"""System 1: tokens, thought and joints to motion that a stock controller executes safely. No ROS, no torch."""
