# %% reference
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: each side by a share of its own
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w * (1 + 2 * grow), h * (1 + 2 * grow)
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: the margin on one side only
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + margin, h + margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: degrees as radians
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, degrees
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: not cut at the borders
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = np.floor(cx - w / 2), np.floor(cy - h / 2)
    right, bottom = np.ceil(cx + w / 2), np.ceil(cy + h / 2)
    return int(left), int(top), int(right), int(bottom)


# %% wrong: rounded to the nearest
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.rint(cx - w / 2)), max(0, np.rint(cy - h / 2))
    right, bottom = min(size[0], np.rint(cx + w / 2)), min(size[1], np.rint(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: height before width in the size
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[1], np.ceil(cx + w / 2)), min(size[0], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: the sine and the cosine exchanged
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.sin(t) + h * np.cos(t), w * np.cos(t) + h * np.sin(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: never square
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w, h = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)


# %% wrong: one after the other, with the new width already
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    x0, y0, x1, y1 = (float(v) for v in box)
    w, h, t = x1 - x0, y1 - y0, np.radians(degrees)
    margin = grow * max(w, h)
    w = w * np.cos(t) + h * np.sin(t)
    h = w * np.sin(t) + h * np.cos(t)
    if square:
        w = h = max(w, h)
    cx, cy, w, h = (x0 + x1) / 2, (y0 + y1) / 2, w + 2 * margin, h + 2 * margin
    left, top = max(0, np.floor(cx - w / 2)), max(0, np.floor(cy - h / 2))
    right, bottom = min(size[0], np.ceil(cx + w / 2)), min(size[1], np.ceil(cy + h / 2))
    return int(left), int(top), int(right), int(bottom)
