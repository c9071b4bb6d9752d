"""An app that lets tests without a transaction around them clean up sooner."""
