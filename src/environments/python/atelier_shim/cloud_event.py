"""CloudEvents 1.0 of a request, in the binary or the structured mode, as one dictionary."""

import base64
import json
import re
from urllib.parse import unquote_to_bytes

STRUCTURED = re.compile(r"application/cloudevents\+json\s*(;|$)", re.I)
BATCH = re.compile(r"application/cloudevents-batch\b", re.I)
JSON_TYPE = re.compile(r"(application|text)/([\w.-]+\+)?json\s*(;|$)", re.I)


def cloud_event_of(request):
    """The event, its `data` as its type says: JSON read, text, else bytes; None when the request is none."""
    content_type = request.headers.get("content-type", "")
    if STRUCTURED.match(content_type):
        event = json.loads(request.body)
        if "data_base64" in event:
            event["data"] = base64.b64decode(event.pop("data_base64"))
        return event
    if BATCH.match(content_type):
        raise TypeError("The request is a batch of CloudEvents: request.json has them all.")
    if "ce-specversion" not in request.headers:
        return None
    event = {name[3:].lower(): _text(value) for name, value in request.headers.items() if name.lower().startswith("ce-")}
    if content_type:
        event["datacontenttype"] = content_type
    if request.body:
        event["data"] = _data(request.body, content_type)
    return event


def _data(body, content_type):
    # An event that names no type of its data has JSON (CloudEvents 1.0, 3.1.1).
    if not content_type or JSON_TYPE.match(content_type):
        return json.loads(body)
    return body.decode("utf-8", "replace") if content_type.lower().startswith("text/") else body


def _text(value):
    """A header's value: it may be quoted, and is percent-encoded. A percent sign that codes nothing stands for itself."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return re.sub(r"(%[0-9a-fA-F]{2})+", lambda coded: _decoded(coded[0]), value)


def _decoded(coded):
    try:
        return unquote_to_bytes(coded).decode()
    except UnicodeDecodeError:
        return coded
