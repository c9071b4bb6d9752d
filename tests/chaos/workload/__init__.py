"""An app whose handlers leave traces that can be counted, and the publishers that keep it busy."""
