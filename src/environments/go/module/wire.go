package atelier

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
)

const (
	typeHello, typeLoad, typeLoaded, typeLoadFailed      = 1, 2, 3, 4
	typeCall, typeResult, typeData, typeWindow           = 16, 17, 18, 19
	typeCancel, typeFail, typeMessage, typeLog           = 20, 21, 22, 23
	typePing, typePong, typeDrain                        = 32, 33, 34
	flagEnd, flagText                               byte = 1, 2

	windowBytes      = 262_144
	dataBytesMax     = 64 * 1024
	payloadBytesMax  = 1 << 20
	messageCostBytes = 64 // what a WebSocket message takes of the window beside its payload
	pendingBytesMax  = 1 << 20
)

var errTooLong = errors.New("a frame is too long")

type frame struct {
	kind, flags byte
	call        uint32
	payload     []byte
}

// wire writes frames from any goroutine. Who finds nobody writing writes; what the others add meanwhile goes out with the
// next system call, together.
type wire struct {
	channel net.Conn
	reader  *bufio.Reader
	mutex   sync.Mutex
	room    sync.Cond
	pending []byte
	spare   []byte
	writing bool
}

func newWire(channel net.Conn) *wire {
	w := &wire{channel: channel, reader: bufio.NewReaderSize(channel, dataBytesMax)}
	w.room.L = &w.mutex
	return w
}

func (w *wire) send(kind, flags byte, call uint32, parts ...[]byte) {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	w.mutex.Lock()
	for len(w.pending) > pendingBytesMax {
		w.room.Wait()
	}
	w.pending = binary.BigEndian.AppendUint32(w.pending, uint32(size))
	w.pending = append(w.pending, kind, flags)
	w.pending = binary.BigEndian.AppendUint32(w.pending, call)
	for _, part := range parts {
		w.pending = append(w.pending, part...)
	}
	if w.writing {
		w.mutex.Unlock()
		return
	}
	w.writing = true
	for len(w.pending) > 0 {
		data := w.pending
		w.pending, w.spare = w.spare[:0], nil
		w.mutex.Unlock()
		w.channel.Write(data) // a stream that is broken ends the reading, and with it the process
		w.mutex.Lock()
		w.spare = data[:0]
		w.room.Broadcast()
	}
	w.writing = false
	w.mutex.Unlock()
}

func (w *wire) receive() (frame, error) {
	var head [10]byte
	if _, err := io.ReadFull(w.reader, head[:]); err != nil {
		return frame{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > payloadBytesMax {
		return frame{}, errTooLong
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(w.reader, payload); err != nil {
		return frame{}, err
	}
	return frame{head[4], head[5], binary.BigEndian.Uint32(head[6:]), payload}, nil
}
