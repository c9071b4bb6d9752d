"""The autopilot."""
