"""Claims of performance models, each in its own module: python -m benchmarks.performance"""
