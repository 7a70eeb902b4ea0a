# %% reference
def cmmd(features_a, features_b):
    a, b = (np.asarray(x, float) for x in (features_a, features_b))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))

    def mean_kernel(x, y):
        squared = ((x[:, None] - y[None]) ** 2).sum(-1)
        return np.exp(-squared / (2 * 10.0**2)).mean()

    return float(1000 * (mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)))


# %% wrong: features of any length
def cmmd(features_a, features_b):
    def mean_kernel(x, y):
        squared = ((x[:, None] - y[None]) ** 2).sum(-1)
        return np.exp(-squared / (2 * 10.0**2)).mean()

    a, b = features_a, features_b
    return float(1000 * (mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)))


# %% wrong: the distance is not squared
def cmmd(features_a, features_b):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features_a, features_b))

    def mean_kernel(x, y):
        far = np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))
        return np.exp(-far / (2 * 10.0**2)).mean()

    return float(1000 * (mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)))


# %% wrong: without the 2 before the mixed term
def cmmd(features_a, features_b):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features_a, features_b))

    def mean_kernel(x, y):
        squared = ((x[:, None] - y[None]) ** 2).sum(-1)
        return np.exp(-squared / (2 * 10.0**2)).mean()

    return float(1000 * (mean_kernel(a, a) + mean_kernel(b, b) - mean_kernel(a, b)))


# %% wrong: a row is not compared with itself
def cmmd(features_a, features_b):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features_a, features_b))

    def kernel(x, y):
        squared = ((x[:, None] - y[None]) ** 2).sum(-1)
        return np.exp(-squared / (2 * 10.0**2))

    def others(x):
        table = kernel(x, x)
        return (table.sum() - np.trace(table)) / (len(x) * (len(x) - 1))

    return float(1000 * (others(a) + others(b) - 2 * kernel(a, b).mean()))
