"""How each lite model was trained: one file a model, one loop for all of them, one card for what came out."""
