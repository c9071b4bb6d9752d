"""Tags for the templates of channels."""
