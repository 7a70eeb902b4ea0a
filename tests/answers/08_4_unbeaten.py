# %% reference
def unbeaten(success, harm):
    def beaten(i):
        return any(
            success[j] >= success[i] and harm[j] <= harm[i] and (success[j] > success[i] or harm[j] < harm[i])
            for j in range(len(success))
        )

    return np.array([not beaten(i) for i in range(len(success))], bool)


# %% wrong: only the most successful
def unbeaten(success, harm):
    success = np.asarray(success)
    return success == success.max(initial=0)


# %% wrong: beaten only by who is better in both
def unbeaten(success, harm):
    success, harm = np.asarray(success), np.asarray(harm)
    return ~((success[:, None] > success) & (harm[:, None] < harm)).any(0)


# %% wrong: whoever is alike beats the other
def unbeaten(success, harm):
    success, harm = np.asarray(success), np.asarray(harm)
    as_good = (success[:, None] >= success) & (harm[:, None] <= harm)
    return as_good.sum(0) <= 1


# %% wrong: more harm is better
def unbeaten(success, harm):
    success, harm = np.asarray(success), -np.asarray(harm)
    as_good = (success[:, None] >= success) & (harm[:, None] <= harm)
    return ~(as_good & ((success[:, None] > success) | (harm[:, None] < harm))).any(0)


# %% wrong: of rows, not of columns
def unbeaten(success, harm):
    success, harm = np.asarray(success), np.asarray(harm)
    as_good = (success[:, None] >= success) & (harm[:, None] <= harm)
    return ~(as_good & ((success[:, None] > success) | (harm[:, None] < harm))).any(1)
