"""The road from the simulator to a bundle: one file a stage. The only room that knows torch."""
