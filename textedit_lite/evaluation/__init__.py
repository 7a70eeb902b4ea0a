"""COCO sets in, edits graded, a table out: the run that resumes, the measures, and the report."""
