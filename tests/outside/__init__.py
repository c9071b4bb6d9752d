"""An app whose handlers call a service outside, and that service: a real HTTP server."""
