"""What tests share: events, a real server process, waiting for a condition."""
