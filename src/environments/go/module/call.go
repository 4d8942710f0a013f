package atelier

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	messageCharactersMax = 4_000
	stackCharactersMax   = 32_000
)

// call is one call: what has come of the request, what may still be sent, and how it ends.
type call struct {
	instance *instance
	number   uint32
	id       string
	deadline time.Time
	request  *http.Request
	writer   *responseWriter
	socket   *Socket
	output   [2]callOutput
	cancel   context.CancelCauseFunc
	release  context.CancelFunc

	mutex     sync.Mutex
	changed   sync.Cond // waits for pieces, credit, or the cancellation
	pieces    []piece
	complete  bool
	consumed  int
	credit    int
	cancelled string
	over      bool
}

type piece struct {
	data []byte
	text bool
}

func newCall(i *instance, f frame) (*call, error) {
	if len(f.payload) < 4 {
		return nil, errTooLong
	}
	size := int(binary.BigEndian.Uint32(f.payload))
	if size > len(f.payload)-4 {
		return nil, errTooLong
	}
	head, body := string(f.payload[4:4+size]), f.payload[4+size:]
	lines := strings.Split(head, "\n")
	if len(lines) < 3 {
		return nil, errTooLong
	}
	ms, err := strconv.ParseInt(lines[2], 10, 64)
	if err != nil {
		return nil, err
	}
	c := &call{instance: i, number: f.call, id: lines[1], deadline: time.UnixMilli(ms), credit: windowBytes}
	c.changed.L = &c.mutex
	c.complete = f.flags&flagEnd != 0
	if len(body) > 0 {
		c.pieces = append(c.pieces, piece{body, false})
	}
	for n := range c.output {
		c.output[n].call, c.output[n].stream = c, byte(n+1)
	}
	ctx, release := context.WithDeadline(context.WithValue(context.Background(), contextKey{}, c), c.deadline)
	ctx, cancel := context.WithCancelCause(ctx)
	c.cancel, c.release = cancel, release
	c.request = newRequest(lines[0], lines[3:], c).WithContext(ctx)
	c.writer = &responseWriter{call: c, header: http.Header{}}
	return c, nil
}

func (c *call) run() {
	defer c.release()
	defer func() {
		if thrown := recover(); thrown != nil {
			c.fail(panicMessage(thrown), debug.Stack())
		}
	}()
	c.instance.handler.ServeHTTP(c.writer, c.request)
	if c.socket != nil {
		c.socket.Close(1000, "")
	} else if err := c.writer.finish(); err != nil {
		c.fail(err.Error(), nil)
	}
}

func panicMessage(thrown any) string {
	if err, ok := thrown.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return "The handler has aborted its answer."
	}
	return fmt.Sprint(thrown)
}

// end sends the last frame of an answer, and what was printed before it.
func (c *call) end(kind byte, parts ...[]byte) {
	c.mutex.Lock()
	if c.over {
		c.mutex.Unlock()
		return
	}
	c.over = true
	cancelled := c.cancelled != ""
	c.mutex.Unlock()
	only := c.instance.only()
	for n, stream := range c.instance.streams {
		if stream != nil && only == c {
			stream.drain(c, true)
		}
		c.output[n].finish()
	}
	c.cancel(nil)
	if cancelled {
		c.instance.wire.send(typeFail, 0, c.number)
	} else if kind == typeFail {
		c.instance.wire.send(typeFail, 0, c.number, parts...)
	} else {
		c.instance.wire.send(kind, flagEnd, c.number, parts...)
	}
	c.instance.ended(c)
}

func (c *call) fail(message string, stack []byte) {
	failure := map[string]string{"message": cut(message, messageCharactersMax)}
	failure["stack"] = cut("panic: "+message+"\n\n"+string(stack), stackCharactersMax)
	if stack == nil {
		failure["stack"] = failure["message"]
	}
	c.end(typeFail, asJSON(failure))
}

func cut(text string, max int) string {
	if len(text) > max {
		return strings.ToValidUTF8(text[:max], "")
	}
	return text
}

// receive takes a frame of this call, on the reading goroutine.
func (c *call) receive(f frame) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch f.kind {
	case typeData:
		if c.socket != nil {
			c.socket.closedByPeer(f.payload)
		} else if len(f.payload) > 0 {
			c.pieces = append(c.pieces, piece{f.payload, false})
		}
		c.complete = c.complete || f.flags&flagEnd != 0
	case typeMessage:
		c.pieces = append(c.pieces, piece{f.payload, f.flags&flagText != 0})
	case typeWindow:
		if len(f.payload) == 4 {
			c.credit += int(binary.BigEndian.Uint32(f.payload))
		}
	case typeCancel:
		c.cancelled = string(f.payload)
		c.cancel(Cancelled(c.cancelled))
	}
	c.changed.Broadcast()
}

// nextPiece waits for a piece of the request; false after the last.
func (c *call) nextPiece() (piece, bool, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for len(c.pieces) == 0 {
		switch {
		case c.cancelled != "":
			return piece{}, false, Cancelled(c.cancelled)
		case c.complete, c.over:
			return piece{}, false, nil
		}
		c.changed.Wait()
	}
	first := c.pieces[0]
	c.pieces = c.pieces[1:]
	return first, true, nil
}

// read lets the platform send as much again as has been consumed.
func (c *call) read(bytes int) {
	c.mutex.Lock()
	c.consumed += bytes
	give := c.consumed
	if c.complete || c.over || give < windowBytes/2 {
		c.mutex.Unlock()
		return
	}
	c.consumed = 0
	c.mutex.Unlock()
	c.instance.wire.send(typeWindow, 0, c.number, binary.BigEndian.AppendUint32(nil, uint32(give)))
}

// take waits until something may be sent, and takes at most `wanted` bytes of credit; a message takes all it needs.
func (c *call) take(wanted int, whole bool) (int, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for c.credit <= 0 || c.cancelled != "" || c.over {
		if c.cancelled != "" {
			return 0, Cancelled(c.cancelled)
		}
		if c.over {
			return 0, http.ErrHandlerTimeout
		}
		c.changed.Wait()
	}
	if !whole {
		wanted = min(wanted, c.credit)
	}
	c.credit -= wanted
	return wanted, nil
}
