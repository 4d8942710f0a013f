package atelier

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

func newRequest(line string, fields []string, c *call) *http.Request {
	method, target, _ := strings.Cut(line, " ")
	r := &http.Request{
		Method: method, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, len(fields)), ContentLength: -1,
	}
	where, err := url.ParseRequestURI(target)
	if err != nil {
		path, query, _ := strings.Cut(target, "?")
		where = &url.URL{Path: path, RawQuery: query}
	}
	r.URL = where
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		name = textproto.CanonicalMIMEHeaderKey(name)
		r.Header[name] = append(r.Header[name], value)
	}
	r.Host = r.Header.Get("Host")
	r.Header.Del("Host") // as net/http has it
	if size, err := strconv.ParseInt(r.Header.Get("Content-Length"), 10, 64); err == nil {
		r.ContentLength = size
	} else if c.complete {
		r.ContentLength = 0
		for _, each := range c.pieces {
			r.ContentLength += int64(len(each.data))
		}
	}
	from, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
	if from == "" {
		from = "127.0.0.1"
	}
	r.RemoteAddr = from + ":0"
	r.Body = &requestBody{call: c}
	if c.complete && len(c.pieces) == 0 {
		r.Body = http.NoBody
	}
	return r
}

var errClosed = errors.New("the body is closed")

type requestBody struct {
	call   *call
	left   []byte
	closed bool
}

func (b *requestBody) Read(into []byte) (int, error) {
	if b.closed {
		return 0, errClosed
	}
	for len(b.left) == 0 {
		next, more, err := b.call.nextPiece()
		if err != nil {
			return 0, err
		}
		if !more {
			return 0, io.EOF
		}
		b.left = next.data
	}
	n := copy(into, b.left)
	b.left = b.left[n:]
	b.call.read(n)
	return n, nil
}

func (b *requestBody) Close() error {
	b.closed = true
	return nil
}
