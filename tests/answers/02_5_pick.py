# %% reference
def pick(boxes, selector):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": -(x0 + x1), "right": x0 + x1, "top": -(y0 + y1), "bottom": y0 + y1}
    measures |= {"largest": area, "smallest": -area}
    return int(np.argmax(measures[selector]))


# %% wrong: the edges instead of the centres
def pick(boxes, selector):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": -x0, "right": x1, "top": -y0, "bottom": y1}
    measures |= {"largest": area, "smallest": -area}
    return int(np.argmax(measures[selector]))


# %% wrong: y grows upwards
def pick(boxes, selector):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": -(x0 + x1), "right": x0 + x1, "top": y0 + y1, "bottom": -(y0 + y1)}
    measures |= {"largest": area, "smallest": -area}
    return int(np.argmax(measures[selector]))


# %% wrong: the longest is the largest
def pick(boxes, selector):
    x0, y0, x1, y1 = boxes.T
    area = np.maximum(x1 - x0, y1 - y0)
    measures = {"left": -(x0 + x1), "right": x0 + x1, "top": -(y0 + y1), "bottom": y0 + y1}
    measures |= {"largest": area, "smallest": -area}
    return int(np.argmax(measures[selector]))


# %% wrong: left and right exchanged
def pick(boxes, selector):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": -(y0 + y1), "bottom": y0 + y1}
    measures |= {"largest": area, "smallest": -area}
    return int(np.argmax(measures[selector]))


# %% wrong: returns the box
def pick(boxes, selector):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": -(x0 + x1), "right": x0 + x1, "top": -(y0 + y1), "bottom": y0 + y1}
    measures |= {"largest": area, "smallest": -area}
    return boxes[np.argmax(measures[selector])]
