"""The pages about sequences."""
