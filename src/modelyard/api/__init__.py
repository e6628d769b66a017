"""The one door: every operation as a plain function of a context and its arguments, here or over HTTP."""
