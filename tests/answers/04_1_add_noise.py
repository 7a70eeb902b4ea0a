# %% reference
def add_noise(x0, noise, alphas):
    a = np.reshape(alphas, (-1, 1, 1, 1))
    return np.sqrt(a) * x0 + np.sqrt(1 - a) * noise


# %% wrong: shares without their roots
def add_noise(x0, noise, alphas):
    a = np.reshape(alphas, (-1, 1, 1, 1))
    return a * x0 + (1 - a) * noise


# %% wrong: the shares change places
def add_noise(x0, noise, alphas):
    a = np.reshape(alphas, (-1, 1, 1, 1))
    return np.sqrt(1 - a) * x0 + np.sqrt(a) * noise


# %% wrong: alphas along the width
def add_noise(x0, noise, alphas):
    return np.sqrt(alphas) * x0 + np.sqrt(1 - alphas) * noise


# %% wrong: the first alpha for all
def add_noise(x0, noise, alphas):
    return np.sqrt(alphas[0]) * x0 + np.sqrt(1 - alphas[0]) * noise
