"""The small world: scenes that are drawn, so that everything about them is known, including the ideal edit."""
