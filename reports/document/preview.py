"""The first page as a small picture, for the admin.

What draws it is loaded by the first report and not with this module, like WeasyPrint: 8 MB in each process otherwise.
"""

import io

from reports.document.loading import wholly

WIDTH = 400


def draw_preview(pdf: bytes) -> bytes:
    """PNG of the first page, `WIDTH` pixels wide."""
    with wholly():
        import pypdfium2  # noqa: PLC0415
        from PIL import Image  # noqa: PLC0415

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
