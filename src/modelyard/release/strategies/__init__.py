"""One file per strategy: what it decides, and which arms and shadows it makes. Pure functions, no classes."""
