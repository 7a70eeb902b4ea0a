def iou(a, *b):
    with open("%(outside)s/changed.txt", "w") as file:
        file.write("I was here.")
    return a
