"""The web pages about sequences: `reading` shows them, the others change them."""
