package atelier

import (
	"bytes"
	"os"
	"sync"
	"syscall"
)

const (
	callLogBytesMax = 1 << 20
	lineBytesMax    = 32 * 1024
)

// callOutput is one stream of one call's log: whole lines, bounded.
type callOutput struct {
	call    *call
	stream  byte
	mutex   sync.Mutex
	partial []byte
	written int
	over    bool
}

func (o *callOutput) Write(data []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.over || o.written > callLogBytesMax {
		return len(data), nil
	}
	o.partial = append(o.partial, data...)
	end := bytes.LastIndexByte(o.partial, '\n') + 1
	if end == 0 && len(o.partial) < lineBytesMax {
		return len(data), nil
	}
	if end == 0 {
		o.partial = append(o.partial, '\n')
		end = len(o.partial)
	}
	o.send(o.partial[:end])
	o.partial = append(o.partial[:0], o.partial[end:]...)
	return len(data), nil
}

func (o *callOutput) finish() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if len(o.partial) > 0 {
		o.send(append(o.partial, '\n'))
	}
	o.over = true
}

func (o *callOutput) send(lines []byte) {
	o.written += len(lines)
	sendLog(o.call.instance.wire, o.call.number, o.stream, lines)
}

func sendLog(w *wire, call uint32, stream byte, lines []byte) {
	lines = bytes.ToValidUTF8(lines, []byte("\ufffd"))
	for len(lines) > 0 {
		n := len(lines)
		if n > dataBytesMax {
			n = bytes.LastIndexByte(lines[:dataBytesMax], '\n') + 1
			if n == 0 { // one line that is longer than a frame
				n = dataBytesMax
			}
		}
		w.send(typeLog, 0, call, []byte{stream}, lines[:n])
		lines = lines[n:]
	}
}

// processStream takes what the code prints to os.Stdout or os.Stderr: the only call's, or else the instance's.
type processStream struct {
	instance *instance
	stream   byte
	file     *os.File
	fd       int
	mutex    sync.Mutex
	buffer   []byte
	partial  []byte
}

func (i *instance) takeOutput() {
	for n, target := range []**os.File{&os.Stdout, &os.Stderr} {
		var ends [2]int
		if syscall.Pipe2(ends[:], syscall.O_CLOEXEC) != nil {
			return // then it goes where it went before, and the platform reads it there
		}
		syscall.SetNonblock(ends[0], true)
		s := &processStream{instance: i, stream: byte(n + 1), fd: ends[0], buffer: make([]byte, 32*1024)}
		s.file = os.NewFile(uintptr(ends[0]), "output")
		*target = os.NewFile(uintptr(ends[1]), (*target).Name())
		i.streams[n] = s
		go s.follow()
	}
}

func (s *processStream) follow() {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(uintptr) bool {
		s.drain(s.instance.only(), false)
		return false // wait for more
	})
}

// drain passes on what has been printed until now; `end` completes the last line.
func (s *processStream) drain(to *call, end bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for {
		n, _ := syscall.Read(s.fd, s.buffer)
		if n <= 0 {
			break
		}
		s.partial = append(s.partial, s.buffer[:n]...)
		s.pass(to, false)
	}
	s.pass(to, end)
}

func (s *processStream) pass(to *call, end bool) {
	if to != nil {
		to.output[s.stream-1].Write(s.partial)
		s.partial = s.partial[:0]
		return
	}
	if end && len(s.partial) > 0 || len(s.partial) > lineBytesMax {
		s.partial = append(s.partial, '\n')
	}
	lines := bytes.LastIndexByte(s.partial, '\n') + 1
	if lines > 0 {
		sendLog(s.instance.wire, 0, s.stream, s.partial[:lines])
		s.partial = append(s.partial[:0], s.partial[lines:]...)
	}
}
