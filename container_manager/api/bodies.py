"""Bodies that are streams: an archive or a file, raw or in a form."""

from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from container_manager.api.context import services_of
from container_manager.errors import UnsupportedMediaType, ValidationError

ZIP_TYPES = ("application/zip", "application/x-zip-compressed", "application/zip-compressed")
FORM_TYPE = "multipart/form-data"
FIELD = "file"
_PART = 256 << 10
_MAX_FIELDS = 100


async def raw(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes."""
    received = services_of(request).metrics.received
    async for chunk in request.content.iter_any():
        received(len(chunk))
        yield chunk


async def file_of(request: web.Request) -> AsyncIterator[bytes]:
    """The body, or of a form the field `file`. ValidationError for a form that is broken or has no such field."""
    if request.content_type != FORM_TYPE:
        async for chunk in raw(request):
            yield chunk
        return
    try:
        form = await request.multipart()
        field = await _field(form)
        received = services_of(request).metrics.received
        while chunk := await field.read_chunk(_PART):
            received(len(chunk))
            yield bytes(chunk)
    except (ValueError, LookupError) as error:
        raise ValidationError(f"The form is broken: {error}"[:300], code="BAD_FORM") from error


def size_of(request: web.Request) -> int | None:
    """Bytes of the body where the client tells them; a form's are more than its file's."""
    return request.content_length if request.content_type != FORM_TYPE else None


async def _field(form: MultipartReader) -> BodyPartReader:
    for _ in range(_MAX_FIELDS):
        part = await form.next()
        if part is None:
            break
        if not isinstance(part, BodyPartReader) or part.name != FIELD:
            await part.release()
            continue
        if part.headers.get("Content-Transfer-Encoding", "binary").lower() not in ("binary", "7bit", "8bit"):
            raise UnsupportedMediaType("The field's Content-Transfer-Encoding is not taken: send it as it is")
        return part
    raise ValidationError.field(FIELD, "The form has no field 'file'", None, "MISSING_FILE")
