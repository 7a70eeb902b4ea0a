def iou(a, *b):
    while True:
        pass
