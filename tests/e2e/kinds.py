"""What schemathesis is told: files of any kind are sent as they are, like those of a kind that it knows (SCHEMATHESIS_HOOKS)."""

import schemathesis

schemathesis.serializer.alias(
    ["application/offset+octet-stream", "video/mp4", "video/webm", "video/x-msvideo", "video/x-flv", "video/mp2t",
     "video/quicktime", "video/x-matroska", "image/png", "image/jpeg", "image/webp", "image/gif"],
    "application/octet-stream",
)  # fmt: skip
