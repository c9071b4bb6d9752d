"""An app as a stranger would write it: a model, and a `handlers.py` that nobody imports."""
