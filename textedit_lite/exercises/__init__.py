"""The exercises of the course, one module a notebook; `check.py` is how notebooks and the grader ask them."""
