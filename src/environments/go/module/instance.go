package atelier

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"atelier/boot"
)

type loadSpec struct {
	Config    map[string]string `json:"config"`
	Secrets   map[string]string `json:"secrets"`
	Function  Function          `json:"function"`
	Instance  string            `json:"instance"`
	MemoryMiB int               `json:"memoryMiB"`
}

// instance is this process: its stream, what it was loaded with, and the calls that run.
type instance struct {
	wire     *wire
	spec     loadSpec
	handler  http.Handler
	streams  [2]*processStream
	mutex    sync.Mutex
	calls    map[uint32]*call
	draining bool
}

var began = time.Now()

func serve(handler any) {
	i := &instance{wire: newWire(connect()), handler: toHandler(handler), calls: map[uint32]*call{}}
	if boot.Load == nil {
		i.shakeHands()
	}
	if err := json.Unmarshal(boot.Load, &i.spec); err != nil {
		os.Exit(1) // no platform of ours
	}
	if i.handler == nil {
		message := fmt.Sprintf("The handler is a %T: make it a func(http.ResponseWriter, *http.Request) or a http.Handler.", handler)
		i.wire.send(typeLoadFailed, 0, 0, asJSON(map[string]string{"message": message}))
		os.Exit(1)
	}
	i.takeOutput()
	i.wire.send(typeLoaded, 0, 0, asJSON(map[string]int64{"initUs": time.Since(began).Microseconds()}))
	i.read()
	os.Exit(0) // the code may hold goroutines that never end
}

func connect() net.Conn {
	target := strings.TrimPrefix(os.Getenv("ATELIER_CONNECT"), "tcp://")
	os.Unsetenv("ATELIER_CONNECT")
	var channel net.Conn
	var err error
	if target != "" {
		channel, err = net.Dial("tcp", target)
	} else {
		file := os.NewFile(3, "frames")
		channel, err = net.FileConn(file)
		file.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "no stream to the platform:", err)
		os.Exit(1)
	}
	return channel
}

// shakeHands is what package boot does on an inherited stream.
func (i *instance) shakeHands() {
	secret := os.Getenv("ATELIER_SECRET")
	os.Unsetenv("ATELIER_SECRET")
	os.Unsetenv("ATELIER_GENERIC")
	i.wire.send(typeHello, 0, 0, boot.Hello(secret))
	for boot.Load == nil {
		f, err := i.wire.receive()
		if err != nil {
			os.Exit(0)
		}
		switch f.kind {
		case typeLoad:
			boot.Load = f.payload
		case typePing:
			i.wire.send(typePong, 0, 0, f.payload)
		}
	}
	boot.Enter(boot.Load)
}

func (i *instance) read() {
	for {
		f, err := i.wire.receive()
		if err != nil {
			return
		}
		switch {
		case f.kind == typeCall:
			i.start(f)
		case f.call != 0:
			i.mutex.Lock()
			c := i.calls[f.call]
			i.mutex.Unlock()
			if c != nil {
				c.receive(f)
			}
		case f.kind == typePing:
			i.wire.send(typePong, 0, 0, f.payload)
		case f.kind == typeDrain:
			i.mutex.Lock()
			i.draining = true
			idle := len(i.calls) == 0
			i.mutex.Unlock()
			if idle {
				return
			}
		}
	}
}

func (i *instance) start(f frame) {
	c, err := newCall(i, f)
	if err != nil {
		os.Exit(1) // no platform of ours
	}
	i.mutex.Lock()
	i.calls[f.call] = c
	i.mutex.Unlock()
	go c.run()
}

// ended is told once by every call, after its last frame.
func (i *instance) ended(c *call) {
	i.mutex.Lock()
	delete(i.calls, c.number)
	last := i.draining && len(i.calls) == 0
	i.mutex.Unlock()
	if last {
		i.wire.channel.Close()
		os.Exit(0)
	}
}

// only is the one call that runs; nil when there is none or are several.
func (i *instance) only() *call {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if len(i.calls) == 1 {
		for _, c := range i.calls {
			return c
		}
	}
	return nil
}

func asJSON(value any) []byte {
	text, _ := json.Marshal(value) // maps of text and numbers
	return text
}
