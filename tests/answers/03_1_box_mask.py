# %% reference
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width), np.uint8)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 255
    return mask


# %% wrong: the last column and row belong to it
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width), np.uint8)
    mask[max(y0, 0) : max(y1 + 1, 0), max(x0, 0) : max(x1 + 1, 0)] = 255
    return mask


# %% wrong: width and height exchanged
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((width, height), np.uint8)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 255
    return mask


# %% wrong: negative indexes count from the end
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width), np.uint8)
    mask[y0:y1, x0:x1] = 255
    return mask


# %% wrong: 1 instead of 255
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width), np.uint8)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 1
    return mask


# %% wrong: floats
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width))
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 255
    return mask


# %% wrong: x and y exchanged
def box_mask(size, box):
    width, height = size
    x0, y0, x1, y1 = box
    mask = np.zeros((height, width), np.uint8)
    mask[max(x0, 0) : max(x1, 0), max(y0, 0) : max(y1, 0)] = 255
    return mask
