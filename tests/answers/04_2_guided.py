# %% reference
def guided(without, with_words, scale):
    return without + scale * (with_words - without)


# %% wrong: starts from the answer with words
def guided(without, with_words, scale):
    return with_words + scale * (with_words - without)


# %% wrong: pulls away from the words
def guided(without, with_words, scale):
    return without + scale * (without - with_words)


# %% wrong: a weighted mean, no further than the words
def guided(without, with_words, scale):
    share = scale / (1 + scale)
    return (1 - share) * without + share * with_words
