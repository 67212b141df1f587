"""What application authors use: annotations, the reader and checker, profiling."""
