from textedit_lite.boxes import iou
