"""Events and results as in AWS Lambda behind an HTTP API (payload format 2.0)."""

import base64
import json
import re
import time
from urllib.parse import parse_qsl

from .messages import Headers, Request, Response

TEXT_TYPE = re.compile(r"text/|application/(json|xml|javascript|x-www-form-urlencoded|[\w.+-]+\+(json|xml))\b", re.I)


def event_of(call):
    request = Request(call)
    headers = {name: request.headers[name] for name in request.headers if name != "cookie"}
    path, _, query = call.target.partition("?")
    body = request.body
    is_text = TEXT_TYPE.match(headers.get("content-type", "")) is not None
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "",
            "apiId": "",
            "domainName": headers.get("host", ""),
            "http": {
                "method": call.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": headers.get("x-forwarded-for", "").split(",")[0].strip(),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": call.id,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": bool(body) and not is_text,
    }
    if "cookie" in request.headers:
        event["cookies"] = re.split(r";\s*", request.headers["cookie"])
    if query:
        event["queryStringParameters"] = joined(parse_qsl(query, keep_blank_values=True))
    if body:
        event["body"] = body.decode("utf-8", "replace") if is_text else base64.b64encode(body).decode()
    return event


def joined(pairs):
    result = {}
    for name, value in pairs:
        result[name] = f"{result[name]},{value}" if name in result else value
    return result


def response_of(result):
    if not isinstance(result, dict) or "statusCode" not in result:
        # Without a status the result is the body.
        if result is None:
            return Response(None, 204)
        text = result if isinstance(result, str) else json.dumps(result)
        return Response(text, 200, {"content-type": "application/json"})
    headers = Headers(result.get("headers") or ())
    for name, values in (result.get("multiValueHeaders") or {}).items():
        headers.pop(name, None)
        for value in values:
            headers.add(name, value)
    for cookie in result.get("cookies") or ():
        headers.add("set-cookie", cookie)
    body = result.get("body")
    if body and "content-type" not in headers:
        headers["content-type"] = "application/json"
    if body is not None and result.get("isBase64Encoded"):
        body = base64.b64decode(body)
    elif body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    return Response(body, int(result["statusCode"]), headers.pairs())
