package atelier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

const wholeBytesMax = 64 * 1024 // an answer up to this size is one frame

var errCancelled = errors.New("nobody waits for the answer any more")

// responseWriter keeps a small answer until it is complete, so that it is one frame; a larger or flushed one streams.
type responseWriter struct {
	call   *call
	header http.Header
	status int
	body   []byte
	sent   bool // the head is
	bad    error
}

func (w *responseWriter) Header() http.Header { return w.header }

func (w *responseWriter) WriteHeader(status int) {
	if w.status != 0 || status >= 100 && status < 200 {
		return
	}
	w.status = status
	if status < 200 || status > 599 {
		w.bad = fmt.Errorf("the status %d is not from 200 to 599", status)
	}
}

func (w *responseWriter) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.bad != nil {
		return 0, w.bad
	}
	if !w.bodyAllowed() {
		if w.call.request.Method == http.MethodHead {
			return len(data), nil
		}
		return 0, http.ErrBodyNotAllowed
	}
	if !w.sent && len(w.body)+len(data) <= wholeBytesMax {
		w.body = append(w.body, data...)
		return len(data), nil
	}
	if err := w.begin(data); err != nil {
		return 0, err
	}
	return w.stream(data)
}

func (w *responseWriter) WriteString(text string) (int, error) { return w.Write([]byte(text)) }

// Flush sends what has been written until now.
func (w *responseWriter) Flush() { w.FlushError() }

func (w *responseWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.bad != nil {
		return w.bad
	}
	return w.begin(nil)
}

// EnableFullDuplex is always so: the answer may begin while the request still comes.
func (w *responseWriter) EnableFullDuplex() error { return nil }

func (w *responseWriter) bodyAllowed() bool {
	return w.call.request.Method != http.MethodHead && w.status != 204 && w.status != 304
}

// begin sends the head and what was kept. `next` helps to tell the type of the content.
func (w *responseWriter) begin(next []byte) error {
	if w.sent {
		return nil
	}
	head, err := w.head(next)
	if err != nil {
		w.bad = err
		return err
	}
	w.sent = true
	w.call.mutex.Lock()
	gone := w.call.over || w.call.cancelled != ""
	w.call.mutex.Unlock()
	if gone {
		w.bad = errCancelled
		return w.bad
	}
	w.call.instance.wire.send(typeResult, 0, w.call.number, head)
	kept := w.body
	w.body = nil
	_, err = w.stream(kept)
	return err
}

func (w *responseWriter) stream(data []byte) (int, error) {
	for at := 0; at < len(data); {
		n, err := w.call.take(min(dataBytesMax, len(data)-at), false)
		if err != nil {
			w.bad = err
			return at, err
		}
		w.call.instance.wire.send(typeData, 0, w.call.number, data[at:at+n])
		at += n
	}
	return len(data), nil
}

// finish ends the answer when the handler has returned.
func (w *responseWriter) finish() error {
	w.WriteHeader(http.StatusOK)
	if w.bad != nil {
		return w.bad
	}
	if w.sent {
		w.call.end(typeData)
		return nil
	}
	head, err := w.head(nil)
	if err != nil {
		return err
	}
	w.call.end(typeResult, head, w.body)
	return nil
}

// head is the payload of RESULT up to the body: the head's length and its text.
func (w *responseWriter) head(next []byte) ([]byte, error) {
	if len(w.body) > 0 {
		next = w.body
	}
	if _, given := w.header["Content-Type"]; !given && len(next) > 0 && w.bodyAllowed() {
		w.header.Set("Content-Type", http.DetectContentType(next))
	}
	head := make([]byte, 4, 256)
	head = strconv.AppendInt(head, int64(w.status), 10)
	for name, values := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		if !isToken(name) {
			return nil, fmt.Errorf("%q is not a header name", name)
		}
		for _, value := range values {
			text, ok := headerValue(value)
			if !ok {
				return nil, fmt.Errorf("the value of the header %s holds characters that no header may hold", name)
			}
			head = append(append(append(append(head, '\n'), strings.ToLower(name)...), ": "...), text...)
		}
	}
	binary.BigEndian.PutUint32(head, uint32(len(head)-4))
	return head, nil
}

func isToken(name string) bool {
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			continue
		}
		if !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// headerValue is the value as code points up to 255; bytes that are no UTF-8 are taken for Latin-1.
func headerValue(value string) (string, bool) {
	value = strings.TrimSpace(value)
	if !utf8.ValidString(value) {
		points := make([]rune, 0, len(value))
		for _, c := range []byte(value) {
			points = append(points, rune(c))
		}
		value = string(points)
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c >= 0x7f && c < 0x80 || c > 0xff {
			return "", false
		}
	}
	return value, true
}
