"""The vocabulary that every other room shares: values, units, errors, time. Nothing here does I/O."""
