"""What lists people save by hand need beyond logs: text in another encoding."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, cast

from lineage_analytics.loaders.common import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lineage_analytics.loaders.common.contract import Chunk, Document

REPLACED = "\ufffd"
NOT_UTF8 = "wanted UTF-8 text, found other bytes; save the file as UTF-8"


class Text:
    """A document as UTF-8 whatever its bytes: what is not UTF-8 becomes U+FFFD, so that its row can be refused."""

    def __init__(self, document: Document) -> None:
        self._document = document

    @property
    def damage(self) -> str | None:
        """Why the document breaks off, known once it has been read."""
        return cast("str | None", getattr(self._document, "damage", None))

    def chunks(self) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for piece in self._document.chunks():
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()


def csv_chunks(document: Document) -> Iterator[Chunk]:
    """``records.csv_chunks`` for a file that may not be UTF-8; cells that are not hold U+FFFD."""
    return records.csv_chunks(cast("Document", Text(document)))
