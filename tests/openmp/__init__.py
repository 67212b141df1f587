"""Programs that check OpenMP by sections of its standard, and how they are built and run (`suite.py`)."""
