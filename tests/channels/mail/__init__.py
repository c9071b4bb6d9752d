"""E-mail, against real servers."""
