package atelier

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"
)

// Socket is the function's end of a WebSocket. The platform speaks the protocol; here are whole messages of at most 1 MiB.
type Socket struct {
	call *call
	code int
}

// Upgrade accepts the WebSocket that a request offers. protocol is one of those that the client lists, or "". When the
// handler returns, the socket is closed.
func Upgrade(w http.ResponseWriter, r *http.Request, protocol string) (*Socket, error) {
	found := FromContext(r.Context())
	if found == nil || r.Header.Get("Upgrade") != "websocket" {
		return nil, errors.New("this call offers no WebSocket")
	}
	c := found.call
	head := "101"
	if protocol != "" {
		text, ok := headerValue(protocol)
		if !ok {
			return nil, fmt.Errorf("%q is no name of a protocol", protocol)
		}
		head += "\nsec-websocket-protocol: " + text
	}
	c.mutex.Lock()
	if c.socket != nil || c.writer.sent || c.over || c.cancelled != "" {
		c.mutex.Unlock()
		return nil, errors.New("this call has been answered already")
	}
	c.socket = &Socket{call: c}
	c.mutex.Unlock()
	c.instance.wire.send(typeResult, 0, c.number, binary.BigEndian.AppendUint32(nil, uint32(len(head))), []byte(head))
	return c.socket, nil
}

// Receive waits for a message; io.EOF when the other side has closed, Cancelled when it is gone.
func (s *Socket) Receive() (data []byte, text bool, err error) {
	next, more, err := s.call.nextPiece()
	if err != nil {
		return nil, false, err
	}
	if !more {
		return nil, false, io.EOF
	}
	s.call.read(len(next.data) + messageCostBytes)
	return next.data, next.text, nil
}

// SendText sends a text message, waiting while the other side is behind.
func (s *Socket) SendText(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("the text is no UTF-8")
	}
	return s.send([]byte(text), flagText)
}

// SendBytes sends a binary message, waiting while the other side is behind.
func (s *Socket) SendBytes(data []byte) error { return s.send(data, 0) }

func (s *Socket) send(data []byte, flags byte) error {
	if len(data) > payloadBytesMax {
		return fmt.Errorf("a message may hold %d bytes", payloadBytesMax)
	}
	if _, err := s.call.take(len(data)+messageCostBytes, true); err != nil {
		return err
	}
	s.call.instance.wire.send(typeMessage, flags, s.call.number, data)
	return nil
}

// Close closes with a code and a reason of at most 123 bytes, and ends the call.
func (s *Socket) Close(code int, reason string) {
	payload := binary.BigEndian.AppendUint16(nil, uint16(code))
	s.call.end(typeData, append(payload, cut(reason, 123)...))
}

// CloseCode is the code with which the other side has closed, or 0.
func (s *Socket) CloseCode() int {
	s.call.mutex.Lock()
	defer s.call.mutex.Unlock()
	return s.code
}

// closedByPeer is called with the call locked.
func (s *Socket) closedByPeer(payload []byte) {
	if len(payload) >= 2 {
		s.code = int(binary.BigEndian.Uint16(payload))
	}
}
