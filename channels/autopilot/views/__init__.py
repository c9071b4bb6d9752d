"""The pages of the autopilot."""
