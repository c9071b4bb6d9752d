"""SalesFlow's engine measured beside its peers; see docs/benchmarks.md."""
