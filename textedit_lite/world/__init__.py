"""The small world: scenes that are drawn, so that every truth about them, ideal edits included, is known."""
