"""Documents, their versions, and who comes into a sequence and leaves it."""
