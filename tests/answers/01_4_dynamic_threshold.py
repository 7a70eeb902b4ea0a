# %% reference
def dynamic_threshold(scores, low=0.3, high=0.7):
    inside = scores[(scores > low) & (scores < high)]
    edges = np.sort(np.concatenate([[low], inside, [high]]))
    i = np.argmax(np.diff(edges))
    return (edges[i] + edges[i + 1]) / 2


# %% wrong: forgets the ends of the range
def dynamic_threshold(scores, low=0.3, high=0.7):
    inside = np.sort(scores[(scores > low) & (scores < high)])
    if len(inside) < 2:
        return (low + high) / 2
    i = np.argmax(np.diff(inside))
    return (inside[i] + inside[i + 1]) / 2


# %% wrong: does not sort
def dynamic_threshold(scores, low=0.3, high=0.7):
    edges = np.concatenate([[low], scores[(scores > low) & (scores < high)], [high]])
    i = np.argmax(np.diff(edges))
    return (edges[i] + edges[i + 1]) / 2


# %% wrong: looks at all scores
def dynamic_threshold(scores, low=0.3, high=0.7):
    edges = np.sort(np.concatenate([[low], scores, [high]]))
    i = np.argmax(np.diff(edges))
    return (edges[i] + edges[i + 1]) / 2


# %% wrong: the lower end of the gap
def dynamic_threshold(scores, low=0.3, high=0.7):
    inside = scores[(scores > low) & (scores < high)]
    edges = np.sort(np.concatenate([[low], inside, [high]]))
    return edges[np.argmax(np.diff(edges))]


# %% wrong: the range of the example for every range
def dynamic_threshold(scores, low=0.3, high=0.7):
    inside = scores[(scores > 0.3) & (scores < 0.7)]
    edges = np.sort(np.concatenate([[0.3], inside, [0.7]]))
    i = np.argmax(np.diff(edges))
    return (edges[i] + edges[i + 1]) / 2
