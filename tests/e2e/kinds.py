"""A hook for schemathesis (SCHEMATHESIS_HOOKS): send files of any media type unchanged, like those of known types."""

import schemathesis

schemathesis.serializer.alias(
    ["application/offset+octet-stream", "video/mp4", "video/webm", "video/x-msvideo", "video/x-flv", "video/mp2t",
     "video/*", "application/mp4", "application/x-matroska", "image/png", "image/jpeg", "image/webp", "image/gif"],
    "application/octet-stream",
)  # fmt: skip
