"""Load on a server that runs, and what it made of it."""
