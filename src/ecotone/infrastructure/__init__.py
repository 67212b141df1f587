"""What everything above stands on: the bus, telemetry and, later, the store, streams, trust and network.

The siblings do not know each other; all may use the bus.
"""
