"""The autopilot: drafts and actions that a language model takes on a lead."""
