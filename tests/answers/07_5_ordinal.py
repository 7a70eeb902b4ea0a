# %% reference
def ordinal(boxes, selector, rank=1):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1)}
    measures |= {"largest": -area, "smallest": area}
    order = np.argsort(measures[selector], kind="stable")
    return int(order[rank - 1]) if rank <= len(order) else None


# %% wrong: counts from zero
def ordinal(boxes, selector, rank=1):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1)}
    measures |= {"largest": -area, "smallest": area}
    order = np.argsort(measures[selector], kind="stable")
    return int(order[rank]) if rank < len(order) else None


# %% wrong: the last one where there are too few
def ordinal(boxes, selector, rank=1):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1)}
    measures |= {"largest": -area, "smallest": area}
    order = np.argsort(measures[selector], kind="stable")
    return int(order[min(rank, len(order)) - 1]) if len(order) else None


# %% wrong: the edges instead of the centres
def ordinal(boxes, selector, rank=1):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0, "right": -x1, "top": y0, "bottom": -y1}
    measures |= {"largest": -area, "smallest": area}
    order = np.argsort(measures[selector], kind="stable")
    return int(order[rank - 1]) if rank <= len(order) else None


# %% wrong: the second largest counted from the smallest
def ordinal(boxes, selector, rank=1):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1)}
    measures |= {"largest": area, "smallest": -area}
    order = np.argsort(measures[selector], kind="stable")
    return int(order[rank - 1]) if rank <= len(order) else None


# %% wrong: the rank of the box instead of the box of the rank
def ordinal(boxes, selector, rank=1):
    x0, y0, x1, y1 = boxes.T
    area = (x1 - x0) * (y1 - y0)
    measures = {"left": x0 + x1, "right": -(x0 + x1), "top": y0 + y1, "bottom": -(y0 + y1)}
    measures |= {"largest": -area, "smallest": area}
    ranks = np.argsort(np.argsort(measures[selector], kind="stable"), kind="stable")
    return int(ranks[rank - 1]) if rank <= len(ranks) else None
