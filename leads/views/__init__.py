"""The web pages about leads: `reading` shows them, `changing` changes them; `tasks` are what is
still to do about them."""
