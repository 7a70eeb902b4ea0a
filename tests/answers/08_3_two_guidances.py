# %% reference
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    return (1 - image_guidance) * nothing + (image_guidance - guidance) * pictured + guidance * told


# %% wrong: the words' step from nothing
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    return nothing + image_guidance * (pictured - nothing) + guidance * (told - nothing)


# %% wrong: the scales in each other's place
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    return nothing + guidance * (pictured - nothing) + image_guidance * (told - pictured)


# %% wrong: begins at the picture
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    return pictured + image_guidance * (pictured - nothing) + guidance * (told - pictured)


# %% wrong: guidance by the words alone
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    return pictured + guidance * (told - pictured)


# %% wrong: the difference the wrong way
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    return nothing + image_guidance * (pictured - nothing) + guidance * (pictured - told)
