def iou(a, *b):
    return a b
