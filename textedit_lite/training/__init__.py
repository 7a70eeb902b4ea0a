"""How each lite model was trained: one file per model, one loop for all of them, one model card for each result."""
