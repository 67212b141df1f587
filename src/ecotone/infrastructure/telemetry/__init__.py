"""Measured facts: histograms that are cheap to fill and to merge, and the log. Used by hosts, agents and control."""
