# %% reference
def ssim_map(a, b):
    from scipy.ndimage import gaussian_filter

    def mean(x):
        channels = [gaussian_filter(x[..., c], 1.5, mode="mirror", radius=5) for c in range(3)]
        return np.stack(channels, -1)

    a, b = np.asarray(a, float), np.asarray(b, float)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return ssim.mean(-1)


# %% wrong: the window runs across the channels
def ssim_map(a, b):
    from scipy.ndimage import gaussian_filter

    def mean(x):
        return gaussian_filter(x, 1.5, mode="mirror", radius=5)

    a, b = np.asarray(a, float), np.asarray(b, float)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean(-1)


# %% wrong: constants for pixels from 0 to 255
def ssim_map(a, b):
    from scipy.ndimage import gaussian_filter

    def mean(x):
        return gaussian_filter(x, (1.5, 1.5, 0), mode="mirror", radius=(5, 5, 0))

    a, b = np.asarray(a, float), np.asarray(b, float)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return ((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean(-1)


# %% wrong: the means alone, without the structure
def ssim_map(a, b):
    from scipy.ndimage import gaussian_filter

    a, b = (gaussian_filter(np.asarray(x, float), (1.5, 1.5, 0), mode="mirror") for x in (a, b))
    return ((2 * a * b + 0.01**2) / (a**2 + b**2 + 0.01**2)).mean(-1)


# %% wrong: squares of the means for means of the squares
def ssim_map(a, b):
    from scipy.ndimage import gaussian_filter

    def mean(x):
        return gaussian_filter(x, (1.5, 1.5, 0), mode="mirror", radius=(5, 5, 0))

    a, b = np.asarray(a, float), np.asarray(b, float)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a), mean(b * b), mean(a * b)
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean(-1)
