"""The first page as a small picture, for the admin."""

import io

import pypdfium2
from PIL import Image

WIDTH = 400


def draw_preview(pdf: bytes) -> bytes:
    """PNG of the first page, `WIDTH` pixels wide."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        page = document[0]
        image = page.render(scale=WIDTH / page.get_width()).to_pil()
    finally:
        document.close()
    picture = io.BytesIO()
    # A palette makes it a third of the size; the page has few colours.
    image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(picture, "PNG")
    return picture.getvalue()
