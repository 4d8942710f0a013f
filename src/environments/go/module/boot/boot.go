// Package boot says HELLO and waits for LOAD while the program's packages are initialised, so that what functions read from the
// environment in init() and in package variables is there already. It imports so little, and has so early a name, that Go
// initialises it before any package that can read a variable.
package boot

import (
	"runtime"
	"syscall"
)

const (
	descriptor = 3
	hello      = 1
	load       = 2
	ping       = 32
	pong       = 33
	payloadMax = 1 << 20
)

// Load is the payload of LOAD; nil where the stream is no inherited descriptor: then package atelier connects.
var Load []byte

func init() {
	if _, found := syscall.Getenv("ATELIER_CONNECT"); found {
		return
	}
	syscall.Unsetenv("ATELIER_GENERIC")
	syscall.CloseOnExec(descriptor)
	write(Frame(hello, 0, 0, Hello("")))
	for Load == nil {
		head := readWhole(10)
		size := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
		if size > payloadMax {
			syscall.Exit(1)
		}
		switch payload := readWhole(size); head[4] {
		case load:
			Load = payload
		case ping:
			write(Frame(pong, 0, 0, payload))
		}
	}
	Enter(Load)
}

// Hello is the payload of HELLO.
func Hello(secret string) []byte {
	text := `{"protocol":1,"shim":"go","runtime":"` + runtime.Version() + `","pid":` + decimal(syscall.Getpid())
	if secret != "" {
		text += `,"secret":"` + secret + `"`
	}
	return []byte(text + "}")
}

// Enter puts what LOAD says into the environment and goes to the code's folder.
func Enter(spec []byte) {
	reader := &json{text: spec}
	directory := "/function"
	reader.object(func(name string) {
		switch name {
		case "config", "secrets":
			reader.object(func(variable string) { syscall.Setenv(variable, reader.str()) })
		case "directory":
			directory = reader.str()
		default:
			reader.skip()
		}
	})
	if elsewhere, found := syscall.Getenv("ATELIER_DIRECTORY"); found {
		directory = elsewhere
	}
	syscall.Chdir(directory)
}

// Frame is one frame's bytes.
func Frame(kind, flags byte, call uint32, payload []byte) []byte {
	n := len(payload)
	head := []byte{
		byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), kind, flags,
		byte(call >> 24), byte(call >> 16), byte(call >> 8), byte(call),
	}
	return append(head, payload...)
}

func readWhole(size int) []byte {
	data := make([]byte, size)
	for at := 0; at < size; {
		n, err := syscall.Read(descriptor, data[at:])
		if err == syscall.EINTR {
			continue
		}
		if n <= 0 {
			syscall.Exit(0) // the platform has gone
		}
		at += n
	}
	return data
}

func write(data []byte) {
	for len(data) > 0 {
		n, err := syscall.Write(descriptor, data)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			syscall.Exit(0)
		}
		data = data[n:]
	}
}

func decimal(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}
