// Package atelier is what a Go function may use of the platform. A function needs none of it: the request's context has the
// deadline and is cancelled when the caller leaves, and configuration and secrets are environment variables.
//
//	func Handler(w http.ResponseWriter, r *http.Request) {
//		call := atelier.FromContext(r.Context())
//		call.Logger().Info("serving", "id", call.InvocationID())
//	}
package atelier

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Function says which version of which function runs.
type Function struct {
	Project string `json:"project"`
	App     string `json:"app"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Context is what the platform knows about one call.
type Context struct{ call *call }

// Cancelled is the cause (context.Cause) of a request's context that was cancelled: "client", "deadline" or "shutdown".
type Cancelled string

func (c Cancelled) Error() string { return "the call was cancelled: " + string(c) }

type contextKey struct{}

// FromContext gives the call that this context belongs to; nil when it belongs to none.
func FromContext(ctx context.Context) *Context {
	found, _ := ctx.Value(contextKey{}).(*call)
	if found == nil {
		return nil
	}
	return &Context{found}
}

// InvocationID is this call's id, the same as in the platform's records and logs.
func (c *Context) InvocationID() string { return c.call.id }

// Traceparent is the W3C trace context of the call, or "".
func (c *Context) Traceparent() string { return c.call.request.Header.Get("Traceparent") }

// Deadline is when the platform gives up waiting.
func (c *Context) Deadline() time.Time { return c.call.deadline }

// Remaining is the time that is left.
func (c *Context) Remaining() time.Duration { return max(0, time.Until(c.call.deadline)) }

// Config has the configuration of the app and the function.
func (c *Context) Config() map[string]string { return c.call.instance.spec.Config }

// Secrets has the secrets that the function names.
func (c *Context) Secrets() map[string]string { return c.call.instance.spec.Secrets }

// Function says which function runs.
func (c *Context) Function() Function { return c.call.instance.spec.Function }

// Instance is the id of this instance.
func (c *Context) Instance() string { return c.call.instance.spec.Instance }

// MemoryMiB is the instance's limit.
func (c *Context) MemoryMiB() int { return c.call.instance.spec.MemoryMiB }

// Stdout writes to this call's log, also while the instance has other calls.
func (c *Context) Stdout() io.Writer { return &c.call.output[0] }

// Stderr writes to this call's log, as an error.
func (c *Context) Stderr() io.Writer { return &c.call.output[1] }

// Logger writes to this call's log.
func (c *Context) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c.Stderr(), nil))
}

// Serve is the main function of every function: it serves calls until the platform ends the instance. The builder writes the
// call of it. handler is a func(http.ResponseWriter, *http.Request), the same with a context.Context before, or a http.Handler.
func Serve(handler any) { serve(handler) }

// Handler types that are no http.Handler by themselves.
func toHandler(handler any) http.Handler {
	switch h := handler.(type) {
	case http.Handler:
		return h
	case func(http.ResponseWriter, *http.Request):
		return http.HandlerFunc(h)
	case func(context.Context, http.ResponseWriter, *http.Request):
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(r.Context(), w, r) })
	case func(http.ResponseWriter, *http.Request) error:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				panic(err)
			}
		})
	}
	return nil
}
