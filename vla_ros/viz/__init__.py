"""Pictures for people: overlays, plots and video."""
