"""Panels for notebooks: every stage of an edit with its sliders, and the whole editor, built from core ipywidgets alone.

They work on both ipywidgets 7.7, which Colab has, and 8.1. A panel is a box: as the last value of a cell it is shown.
Each of its controls is an attribute, so that everything a mouse does can be done, and tested, from Python.
"""

from .editor_panel import EditorPanel
from .rival_panel import RivalPanel
from .stages import DetectPanel, MaskPanel, MatchPanel, PaintPanel

__all__ = ["DetectPanel", "EditorPanel", "MaskPanel", "MatchPanel", "PaintPanel", "RivalPanel"]
