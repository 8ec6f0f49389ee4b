"""The sections of the benchmark, each a function of a `Stage` that adds rows."""
