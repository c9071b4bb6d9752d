"""The console over a full log: what its pages take with 5 million events, beside 50,000."""
