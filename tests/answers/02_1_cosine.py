# %% reference
def cosine(a, b):
    a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
    return a @ b.T


# %% wrong: not normalised
def cosine(a, b):
    return a @ b.T


# %% wrong: nothing divided by nothing
def cosine(a, b):
    with np.errstate(invalid="ignore"):
        a = a / np.linalg.norm(a, axis=1, keepdims=True)
        b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return a @ b.T


# %% wrong: the length of the columns
def cosine(a, b):
    a = a / np.maximum(np.linalg.norm(a, axis=0, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=0, keepdims=True), 1e-12)
    return a @ b.T


# %% wrong: divides by the squared length
def cosine(a, b):
    a = a / np.maximum((a**2).sum(1, keepdims=True), 1e-12)
    b = b / np.maximum((b**2).sum(1, keepdims=True), 1e-12)
    return a @ b.T


# %% wrong: rows and columns exchanged
def cosine(a, b):
    a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
    return b @ a.T
