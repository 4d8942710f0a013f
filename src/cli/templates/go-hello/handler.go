package function

import (
	"encoding/json"
	"fmt"
	"net/http"

	"atelier"
)

// Handler is what the platform calls. The request's context ends when the caller leaves or the deadline passes.
func Handler(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "world"
	}
	fmt.Println("saying hello to", name)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"message": "Hello, " + name + "!",
		"version": atelier.FromContext(r.Context()).Function().Version,
	})
}
