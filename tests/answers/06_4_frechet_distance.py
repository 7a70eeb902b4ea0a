# %% reference
def frechet_distance(features_a, features_b):
    a, b = np.asarray(features_a, float), np.asarray(features_b, float)
    shift = a.mean(0) - b.mean(0)
    sa, sb = np.cov(a.T).reshape(a.shape[1], -1), np.cov(b.T).reshape(a.shape[1], -1)
    values = np.linalg.eigvals(sa @ sb).real
    shared = np.sqrt(np.clip(values, 0, None)).sum()
    return float(max(0.0, shift @ shift + np.trace(sa) + np.trace(sb) - 2 * shared))


# %% wrong: the distance of the means is not squared
def frechet_distance(features_a, features_b):
    a, b = np.asarray(features_a, float), np.asarray(features_b, float)
    shift = a.mean(0) - b.mean(0)
    sa, sb = np.cov(a.T).reshape(a.shape[1], -1), np.cov(b.T).reshape(a.shape[1], -1)
    shared = np.sqrt(np.clip(np.linalg.eigvals(sa @ sb).real, 0, None)).sum()
    return float(np.linalg.norm(shift) + np.trace(sa) + np.trace(sb) - 2 * shared)


# %% wrong: the root of each number, not of the matrix
def frechet_distance(features_a, features_b):
    a, b = np.asarray(features_a, float), np.asarray(features_b, float)
    shift = a.mean(0) - b.mean(0)
    sa, sb = np.cov(a.T).reshape(a.shape[1], -1), np.cov(b.T).reshape(a.shape[1], -1)
    shared = np.trace(np.sqrt(np.abs(sa @ sb)))
    return float(shift @ shift + np.trace(sa) + np.trace(sb) - 2 * shared)


# %% wrong: covariances over N, not over N - 1
def frechet_distance(features_a, features_b):
    a, b = np.asarray(features_a, float), np.asarray(features_b, float)
    shift = a.mean(0) - b.mean(0)
    sa, sb = (np.cov(x.T, bias=True).reshape(x.shape[1], -1) for x in (a, b))
    shared = np.sqrt(np.clip(np.linalg.eigvals(sa @ sb).real, 0, None)).sum()
    return float(max(0.0, shift @ shift + np.trace(sa) + np.trace(sb) - 2 * shared))


# %% wrong: the means alone
def frechet_distance(features_a, features_b):
    shift = np.mean(features_a, 0) - np.mean(features_b, 0)
    return float(shift @ shift)
