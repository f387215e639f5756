"""One module per native format: they spell out what happened and know nothing of the answers."""
