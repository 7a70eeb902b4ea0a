"""Panels for notebooks: every stage of an edit with its sliders, and the whole editor, out of core ipywidgets alone.

They work on ipywidgets 7.7, which Colab has, and on 8.1 alike. A panel is a box: the last value of a cell shows it.
Each of its controls is an attribute, so that what a mouse does can be done, and tested, from Python.
"""

from .editor_panel import EditorPanel
from .rival_panel import RivalPanel
from .stages import DetectPanel, MaskPanel, MatchPanel, PaintPanel

__all__ = ["DetectPanel", "EditorPanel", "MaskPanel", "MatchPanel", "PaintPanel", "RivalPanel"]
