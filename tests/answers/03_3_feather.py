# %% reference
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius == 0 or inside.all():
        return inside.astype(np.float32)
    t = np.clip(distance_transform_edt(inside) / (radius + 1), 0, 1)
    return t * t * (3 - 2 * t)


# %% wrong: a straight ramp
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius == 0 or inside.all():
        return inside.astype(np.float32)
    t = np.clip(distance_transform_edt(inside) / (radius + 1), 0, 1)
    return t


# %% wrong: divided by the radius
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius == 0 or inside.all():
        return inside.astype(np.float32)
    t = np.clip(distance_transform_edt(inside) / max(radius, 1), 0, 1)
    return t * t * (3 - 2 * t)


# %% wrong: every grey is inside
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) > 0
    if radius == 0 or inside.all():
        return inside.astype(np.float32)
    t = np.clip(distance_transform_edt(inside) / (radius + 1), 0, 1)
    return t * t * (3 - 2 * t)


# %% wrong: fades at the picture's border
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius == 0 or inside.all():
        return inside.astype(np.float32)
    t = np.clip(distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] / (radius + 1), 0, 1)
    return t * t * (3 - 2 * t)


# %% wrong: not cut off at 1
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius == 0 or inside.all():
        return inside.astype(np.float32)
    t = distance_transform_edt(inside) / (radius + 1)
    return t * t * (3 - 2 * t)


# %% wrong: blurs the mask, so that it reaches outside
def feather(mask, radius):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter((np.asarray(mask) >= 128).astype(np.float32), radius / 2)


# %% wrong: runs outwards
def feather(mask, radius):
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius == 0 or inside.all() or not inside.any():
        return inside.astype(np.float32)
    t = 1 - np.clip(distance_transform_edt(~inside) / (radius + 1), 0, 1)
    return t * t * (3 - 2 * t)
