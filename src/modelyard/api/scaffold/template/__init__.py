"""What `yard init` writes: the training functions are copied as they stand here, the rest is filled in."""
