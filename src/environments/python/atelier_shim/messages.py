"""What plain handlers get and may return: Headers, Request, Response."""

import json as json_module
from collections.abc import MutableMapping
from urllib.parse import parse_qs, unquote


class Headers(MutableMapping):
    """Header fields without regard to case. A name that repeats reads as one value, joined; `get_all` tells them apart."""

    def __init__(self, pairs=()):
        self._pairs = []
        items = pairs.items() if hasattr(pairs, "items") else pairs
        for name, value in items:
            for one in value if isinstance(value, (list, tuple)) else (value,):
                self.add(name, one)

    def add(self, name, value):
        self._pairs.append((str(name).lower(), str(value)))

    def get_all(self, name):
        name = name.lower()
        return [value for each, value in self._pairs if each == name]

    def pairs(self):
        return list(self._pairs)

    def __getitem__(self, name):
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ("; " if name.lower() == "cookie" else ", ").join(values)

    def __setitem__(self, name, value):
        if name in self:
            del self[name]
        self.add(name, value)

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        name = name.lower()
        self._pairs = [pair for pair in self._pairs if pair[0] != name]

    def __contains__(self, name):
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self):
        return iter(dict.fromkeys(name for name, _ in self._pairs))

    def __len__(self):
        return len({name for name, _ in self._pairs})

    def __repr__(self):
        return f"Headers({self._pairs!r})"


class Request:
    """One request. The names that Flask uses work as well, since many functions were written for it."""

    def __init__(self, call):
        self._call = call
        self._headers = None
        self._body = None
        self.method = call.method
        self.target = call.target
        path, _, query = call.target.partition("?")
        self.path = unquote(path)
        self.query_string = query

    @property
    def headers(self):
        if self._headers is None:
            lines = self._call.header_lines
            self._headers = Headers(line.split(": ", 1) for line in lines.split("\n")) if lines else Headers()
        return self._headers

    @property
    def url(self):
        scheme = "https" if self.headers.get("x-forwarded-proto", "").startswith("https") else "http"
        return f"{scheme}://{self.headers.get('host', 'localhost')}{self.target}"

    @property
    def query(self):
        """Every value of each parameter, as lists."""
        return parse_qs(self.query_string, keep_blank_values=True)

    @property
    def args(self):
        """The first value of each parameter."""
        return {name: values[0] for name, values in self.query.items()}

    @property
    def cookies(self):
        pairs = (each.strip().partition("=") for each in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs if name}

    @property
    def body(self):
        """All of the body; waits for it."""
        if self._body is None:
            self._body = self._call.read_all()
        return self._body

    @property
    def data(self):
        return self.body

    def get_data(self, as_text=False):
        return self.text if as_text else self.body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        """The body as JSON; ValueError when it is none."""
        return json_module.loads(self.body)

    def get_json(self, force=False, silent=False):
        if not force and "json" not in self.headers.get("content-type", ""):
            return None
        try:
            return self.json
        except ValueError:
            if silent:
                return None
            raise

    @property
    def form(self):
        """Fields of a form in application/x-www-form-urlencoded, the first value of each."""
        fields = parse_qs(self.text, keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def stream(self):
        """The body piece by piece, as it comes."""
        if self._body is not None:
            yield self._body
            return
        while True:
            part = self._call.read_part()
            if not part:
                return
            yield part

    async def read(self):
        """All of the body, for async handlers."""
        if self._body is None:
            import asyncio

            self._body = await asyncio.get_running_loop().run_in_executor(None, self._call.read_all)
        return self._body

    async def astream(self):
        """The body piece by piece, for async handlers."""
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            ready = self._call.body_ready
            part = self._call.read_part() if ready else await loop.run_in_executor(None, self._call.read_part)
            if not part:
                return
            yield part


class Response:
    """An answer: `body` is text, bytes, None, something to iterate, or else written as JSON."""

    def __init__(self, body=None, status=200, headers=(), content_type=None):
        self.body = body
        self.status = status
        self.headers = Headers(headers)
        if content_type is not None:
            self.headers["content-type"] = content_type
