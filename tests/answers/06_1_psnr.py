# %% reference
def psnr(mse):
    if mse <= 0:
        return 100.0
    return float(min(100.0, -10 * np.log10(mse)))


# %% wrong: an exact copy is infinitely good
def psnr(mse):
    with np.errstate(divide="ignore"):
        return float(-10 * np.log10(mse))


# %% wrong: of the root, and so half as much
def psnr(mse):
    return 100.0 if mse <= 0 else float(min(100.0, -10 * np.log10(np.sqrt(mse))))


# %% wrong: of pixels from 0 to 255
def psnr(mse):
    return 100.0 if mse <= 0 else float(min(100.0, 10 * np.log10(255**2 / mse)))


# %% wrong: the natural logarithm
def psnr(mse):
    return 100.0 if mse <= 0 else float(min(100.0, -10 * np.log(mse)))
