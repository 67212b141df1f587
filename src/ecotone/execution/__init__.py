"""What runs: agents start hosts, a host runs one instance."""
