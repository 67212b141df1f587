"""Placement of systems whose components share resources: exact, bounded, judged independently of how it was found."""
