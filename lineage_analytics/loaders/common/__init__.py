"""What every loader shares: containers, record splitting, times, ids. No module here is a loader."""
