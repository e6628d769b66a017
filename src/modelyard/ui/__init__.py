"""Faces for people: pages that the door's results are shown on."""
