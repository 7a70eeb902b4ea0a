# %% reference
def ddim_step(x, velocity, alpha, alpha_next):
    x0 = np.sqrt(alpha) * x - np.sqrt(1 - alpha) * velocity
    noise = np.sqrt(alpha) * velocity + np.sqrt(1 - alpha) * x
    return np.sqrt(alpha_next) * x0 + np.sqrt(1 - alpha_next) * noise


# %% wrong: takes the velocity for the noise
def ddim_step(x, velocity, alpha, alpha_next):
    x0 = (x - np.sqrt(1 - alpha) * velocity) / np.sqrt(max(alpha, 1e-6))
    return np.sqrt(alpha_next) * x0 + np.sqrt(1 - alpha_next) * velocity


# %% wrong: divides by nothing at the picture's end
def ddim_step(x, velocity, alpha, alpha_next):
    x0 = np.sqrt(alpha) * x - np.sqrt(1 - alpha) * velocity
    with np.errstate(all="ignore"):
        noise = (x - np.sqrt(alpha) * x0) / np.sqrt(1 - alpha)
    return np.sqrt(alpha_next) * x0 + np.sqrt(1 - alpha_next) * noise


# %% wrong: returns the picture, not the next latents
def ddim_step(x, velocity, alpha, alpha_next):
    return np.sqrt(alpha) * x - np.sqrt(1 - alpha) * velocity


# %% wrong: the velocity with the other sign
def ddim_step(x, velocity, alpha, alpha_next):
    x0 = np.sqrt(alpha) * x + np.sqrt(1 - alpha) * velocity
    noise = np.sqrt(1 - alpha) * x - np.sqrt(alpha) * velocity
    return np.sqrt(alpha_next) * x0 + np.sqrt(1 - alpha_next) * noise
