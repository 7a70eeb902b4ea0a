# %% reference
def dilate(shape, radius):
    height, width = shape.shape
    y, x = np.mgrid[:height, :width]
    result = np.zeros(shape.shape, bool)
    for row, column in np.argwhere(shape):
        result |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return result


# %% wrong: a square, not a disc
def dilate(shape, radius):
    height, width = shape.shape
    y, x = np.mgrid[:height, :width]
    result = np.zeros(shape.shape, bool)
    for row, column in np.argwhere(shape):
        result |= (np.abs(y - row) <= radius) & (np.abs(x - column) <= radius)
    return result


# %% wrong: steps to the four neighbours, a diamond
def dilate(shape, radius):
    height, width = shape.shape
    y, x = np.mgrid[:height, :width]
    result = np.zeros(shape.shape, bool)
    for row, column in np.argwhere(shape):
        result |= np.abs(y - row) + np.abs(x - column) <= radius
    return result


# %% wrong: without the pixels at the radius itself
def dilate(shape, radius):
    height, width = shape.shape
    y, x = np.mgrid[:height, :width]
    result = np.zeros(shape.shape, bool)
    for row, column in np.argwhere(shape):
        result |= (y - row) ** 2 + (x - column) ** 2 < radius**2
    return result | shape


# %% wrong: the radius rounded to whole pixels
def dilate(shape, radius):
    height, width = shape.shape
    y, x = np.mgrid[:height, :width]
    result = np.zeros(shape.shape, bool)
    for row, column in np.argwhere(shape):
        result |= (y - row) ** 2 + (x - column) ** 2 <= int(radius) ** 2
    return result


# %% wrong: around the border, to the other side
def dilate(shape, radius):
    result = np.zeros(shape.shape, bool)
    reach = int(radius)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dy**2 + dx**2 <= radius**2:
                result |= np.roll(shape, (dy, dx), (0, 1))
    return result


# %% wrong: only what is added
def dilate(shape, radius):
    height, width = shape.shape
    y, x = np.mgrid[:height, :width]
    result = np.zeros(shape.shape, bool)
    for row, column in np.argwhere(shape):
        result |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return result & ~shape


# %% wrong: an empty shape grows everywhere
def dilate(shape, radius):
    from scipy.ndimage import distance_transform_edt

    if not shape.any():
        return ~shape
    return distance_transform_edt(~shape) <= radius
