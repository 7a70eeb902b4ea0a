"""Grades the course: a student's notebooks in, points and pages with reasons out.

`submission` finds the answers, `course` puts them into the course's own notebook, `sandbox` runs it in a fenced process
(`fence`), `marks` judges what the answers returned, `classroom` does so for many at once, `report` writes it down.
"""
