"""ganprune's tests."""
