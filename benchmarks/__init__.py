"""How fast discmill is, next to peers that run beside it: `make bench`; how to read it is in docs/benchmarks.md."""
