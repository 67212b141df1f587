"""What the placement of systems promises, measured; run as `python -m benchmarks.placement`."""
