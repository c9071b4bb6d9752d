"""The engine of sequences against a real database, by a clock that tests set."""
