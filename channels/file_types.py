"""What a file is, by its first bytes: what its sender calls it is not to be relied on."""

UNKNOWN = "application/octet-stream"
BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}
# Nothing in these acts, wherever they are shown.
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def type_of(data: bytes) -> str:
    """The content type under which a file may be given out."""
    for beginning, kind in BEGINNINGS.items():
        if data.startswith(beginning):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return UNKNOWN
