"""How fast the engine of sequences executes what is due: steps a second."""
