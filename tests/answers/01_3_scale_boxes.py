# %% reference
def scale_boxes(boxes, old, new):
    return boxes * np.float32([new[0] / old[0], new[1] / old[1]] * 2)


# %% wrong: height and width swapped
def scale_boxes(boxes, old, new):
    return boxes * np.float32([new[1] / old[1], new[0] / old[0]] * 2)


# %% wrong: one factor for both
def scale_boxes(boxes, old, new):
    return boxes * np.float32(new[0] / old[0])


# %% wrong: the way back
def scale_boxes(boxes, old, new):
    return boxes * np.float32([old[0] / new[0], old[1] / new[1]] * 2)


# %% wrong: whole pixels
def scale_boxes(boxes, old, new):
    return np.rint(boxes * np.float32([new[0] / old[0], new[1] / old[1]] * 2))


# %% wrong: x by the width, the corners by the height
def scale_boxes(boxes, old, new):
    x, y = new[0] / old[0], new[1] / old[1]
    return boxes * np.float32([x, x, y, y])
