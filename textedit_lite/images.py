"""Opens any picture as PIL RGB, and writes results without leaving halves."""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from textedit_lite.errors import ImageError, OutputError

MAX_PIXELS = 100_000_000
MIN_SIDE = 16

ImageSource = str | os.PathLike | BinaryIO | Image.Image | np.ndarray


def open_image(source: ImageSource, under: str = "white") -> Image.Image:
    """Opens a picture from a path, a binary file, a PIL image or an array, as PIL RGB of its own size.

    EXIF rotation is applied; what is transparent shows the colour `under`; of an animation the first frame is taken; 16
    and 32 bit are scaled to 8, not clipped. Arrays are [height, width] or [height, width, 1 to 4], of booleans,
    integers, or floats from 0 to 1 or 0 to 255. The result shares no memory with the source.

    Raises ImageError for what is no picture, is damaged, has more than MAX_PIXELS (read in the header, before a pixel
    is decoded) or a side shorter than MIN_SIDE pixels. Taught in notebook 01.
    """
    if isinstance(source, Image.Image):
        return _decoded(source, "The picture", under)
    if isinstance(source, np.ndarray):
        return _from_array(source, under)
    if hasattr(source, "read"):
        with _opened(source, "The file") as image:
            return _decoded(image, "The file", under)
    path = _picture_path(source)
    with _opened(path, f'"{path}"') as image:
        return _decoded(image, f'"{path}"', under)


def save_png(image: Image.Image, path: str | os.PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Writes a PNG, all of it or nothing, with `metadata` as its text chunks (tEXt, or iTXt beyond Latin-1).

    An existing file is replaced only when the new one is complete. Raises OutputError if the name is of another kind
    of picture, or if the place cannot be written. Taught in notebook 05.
    """
    from PIL.PngImagePlugin import PngInfo

    if Image.registered_extensions().get(Path(path).suffix.lower(), "PNG") != "PNG":
        raise OutputError(f'Results are PNG files: give "{path}" a name that ends in .png.')
    text = PngInfo()
    for key, value in (metadata or {}).items():
        text.add_text(key, _encodable(value))
    with _replacing(path) as file:
        image.save(file, format="PNG", pnginfo=text)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a UTF-8 text file, all of it or nothing; raises OutputError as `save_png` does. Taught in notebook 05."""
    with _replacing(path) as file:
        file.write(_encodable(text).encode("utf-8"))


def read_metadata(path: str | os.PathLike) -> dict[str, str]:
    """The text chunks of a PNG, {} for a picture without any; raises ImageError as `open_image` does.

    Taught in notebook 05.
    """
    path = _picture_path(path)
    with _opened(path, f'"{path}"') as image, _damage_reported(f'"{path}"'):
        return {key: str(value) for key, value in getattr(image, "text", {}).items()}


def _picture_path(source: str | os.PathLike) -> Path:
    """The path of an ordinary file with something in it."""
    try:
        path = Path(source)
        if path.is_dir():
            raise ImageError(f'"{path}" is a folder: name the picture in it.')
        size = path.stat().st_size
        ordinary = path.is_file()
    except TypeError as error:
        raise ImageError(f"A {type(source).__name__} is no picture: give a path, a PIL image or an array.") from error
    except FileNotFoundError as error:
        raise ImageError(f'There is no file "{path}": check its name and folder.') from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f'"{source}" cannot be read ({reason}): check its name and your rights to it.') from error
    if not ordinary:
        raise ImageError(f'"{path}" is no ordinary file: save the picture to one first.')
    if size == 0:
        raise ImageError(f'"{path}" is empty, zero bytes long: fetch or save the picture again.')
    return path


@contextlib.contextmanager
def _opened(source: Path | BinaryIO, name: str) -> Iterator[Image.Image]:
    """The image with its header read and its size checked."""
    with warnings.catch_warnings():
        # Pillow warns from its own, lower limit on; the check of MAX_PIXELS stands in for it.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with _damage_reported(name):
            image = Image.open(source)
        with image:
            _check_size(image.size, name)
            yield image


@contextlib.contextmanager
def _damage_reported(name: str) -> Iterator[None]:
    """Turns what Pillow raises into ImageError; on damaged bytes its decoders raise nearly every kind of exception."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has more than {MAX_PIXELS // 10**6} megapixels: scale it down first.") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"{name} is no picture that can be read: give a PNG, JPEG, WebP, GIF, BMP or TIFF.") from error
    except PermissionError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror}): check your rights to it.") from error
    except Exception as error:
        reason = str(error).strip(" .") or type(error).__name__
        raise ImageError(f"{name} cannot be decoded ({reason}): it is damaged, so fetch or save it again.") from error


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS / 1e6:g} megapixels"
        raise ImageError(f"{name} has {width}x{height} pixels, more than {limit}: scale it down first.")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{name} has {width}x{height} pixels: both sides must have {MIN_SIDE} or more.")


def _decoded(image: Image.Image, name: str, under: str) -> Image.Image:
    """A new RGB image of any PIL image."""
    _check_size(image.size, name)
    with _damage_reported(name):
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        image = ImageOps.exif_transpose(image)  # a copy, turned or not
        if image.mode == "F" or image.mode.startswith("I"):
            rgb = Image.fromarray(_eight_bits(np.asarray(image), stretch=True)).convert("RGB")
        elif image.has_transparency_data:
            over = image.convert("RGBA")
            rgb = Image.alpha_composite(Image.new("RGBA", over.size, under), over).convert("RGB")
        elif image.mode == "RGB" and not turned:
            rgb = image  # no second copy: a large picture's is tens of megabytes
        else:
            rgb = image.convert("RGB")
    rgb.info = {}
    return rgb


def _from_array(array: np.ndarray, under: str) -> Image.Image:
    channels = array.shape[2:] or (1,)
    if array.ndim < 2 or channels not in ((1,), (2,), (3,), (4,)) or array.dtype.kind not in "buif":
        given = f"{'x'.join(map(str, array.shape)) or 'single'} array of {array.dtype}"
        raise ImageError(f"A {given} is no picture: give numbers as [height, width] or [height, width, 1 to 4].")
    _check_size((array.shape[1], array.shape[0]), "The array")
    pixels = _eight_bits(array, stretch=False)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return _decoded(Image.fromarray(pixels), "The array", under)


def _eight_bits(values: np.ndarray, stretch: bool) -> np.ndarray:
    """Scales numbers to uint8 by the range of their type; beyond any known range, by their own range or not at all."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "b":
        return values * np.uint8(255)
    if not np.isfinite(values).all():
        raise ImageError("The picture holds values that are no numbers: replace its NaN and infinite pixels.")
    low, high = 0.0, 255.0
    if values.dtype.kind == "f" and values.max() <= 1:
        high = 1.0
    elif values.dtype.kind in "iu" and (values.dtype.str[1:] == "u2" or values.max() > 255):
        high = 65535.0
    if values.min() < low or values.max() > high:
        if not stretch:
            raise ImageError(
                f"The array runs from {values.min():g} to {values.max():g}: give 0 to 1, 0 to 255, or 16 bit integers."
            )
        low, high = float(values.min()), float(values.max())
    return np.round((values.astype(np.float64) - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _encodable(text: str) -> str:
    """The text with what UTF-8 cannot hold (lone surrogates, as in undecodable file names) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextlib.contextmanager
def _replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place when complete, and vanishes if anything (Ctrl-C too) goes wrong."""
    target = Path(os.path.realpath(path))  # through a link, as plain writing would
    if target.is_dir():
        raise OutputError(f'"{path}" is a folder: name a file in it.')
    if not target.parent.is_dir():
        raise OutputError(f'There is no folder "{target.parent}": make it, or write somewhere else.')
    if target.exists() and not target.is_file():
        raise OutputError(f'"{path}" is no ordinary file: write to another name.')
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            yield file
        os.replace(part, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            reason = error.strerror or error
            advice = "free some space there, or write somewhere else"
            raise OutputError(f'"{path}" cannot be written ({reason}): {advice}.') from error
        raise
