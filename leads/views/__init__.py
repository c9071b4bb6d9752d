"""The web pages about leads: `reading` shows them, `changing` changes them."""
