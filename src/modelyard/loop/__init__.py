"""Making it so, and keeping it so: apply a plan, turn the controller once, replay history through the same code."""
