"""Pages that are one file: tables, pictures inside them, nothing fetched and nothing run."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ..core.files import write_bytes

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1720px; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; } h3 { font-size: 1em; }
table { border-collapse: collapse; } th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } table.facts td { text-align: left; }
img { width: 100%; height: auto; display: block; } img.curve { max-width: 900px; }
.view { display: grid; grid-template-columns: repeat(4, 1fr); gap: .4em; margin-bottom: 1.6em; }
figure { margin: 0; } figcaption { font-size: .85em; } .truth { grid-column: 1; } .faint { color: #666; }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_page(path: Path, title: str, parts: Iterable[str]) -> Path:
    """Write a page, atomically.

    Args:
        path: The file.
        title: Plain text.
        parts: HTML, in which what strangers wrote is escaped.
    """
    text = (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n" + "\n".join(parts)
    )
    write_bytes(path, f"{text}\n</body></html>\n".encode(errors="replace"))
    return path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain texts."""
    return f"<table>{table_rows([head], 'th')}{table_rows(rows, 'td')}</table>"


def table_rows(rows: Sequence[Sequence[str]], tag: str) -> str:
    """Rows of a table, its cells "td" or "th"."""
    return "".join(f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>" for row in rows)


def figure(pixels: UInt8[np.ndarray, "h w 3"], words: str, *, is_first: bool = False) -> str:
    """A picture with plain words below; the first of a row begins it."""
    kind = " class='truth'" if is_first else ""
    return f"<figure{kind}>{picture(pixels)}<figcaption>{escape(words)}</figcaption></figure>"


def picture(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    """A picture, as JPEG."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=88)
    return f"<img alt='' src='{data_address(content.getvalue(), 'jpeg')}'>"


def data_address(content: bytes, kind: str) -> str:
    """An image file as an address that needs no file."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
