"""The work that every peer does: a lead and an event in one transaction, a handler's row."""
