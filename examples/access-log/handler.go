// Package accesslog tells what an access log in the combined format holds: calls by status, the most called paths, who calls.
package accesslog

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strconv"

	"github.com/mileusna/useragent"
)

const (
	lineBytesMax = 64 * 1024
	namesMax     = 100_000 // different paths that are counted; a log may be hostile
	shown        = 10
)

var line = regexp.MustCompile(`^(\S+) \S+ \S+ \[[^\]]*\] "(\S+) (\S+)[^"]*" (\d{3}) (\d+|-)(?: "[^"]*" "([^"]*)")?`)

// Count is how often a name was seen.
type Count struct {
	Name  string `json:"name"`
	Calls int    `json:"calls"`
}

// Report is the answer.
type Report struct {
	Lines    int            `json:"lines"`
	Unread   int            `json:"unread"`
	Bytes    int64          `json:"bytes"`
	Clients  int            `json:"clients"`
	Robots   int            `json:"robots"`
	Statuses map[string]int `json:"statuses"`
	Paths    []Count        `json:"paths"`
	Browsers []Count        `json:"browsers"`
}

// Handler reads the log as it comes: a large one never lies in memory.
func Handler(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST an access log.", http.StatusMethodNotAllowed)
		return
	}
	report := Report{Statuses: map[string]int{}}
	paths, browsers, clients := map[string]int{}, map[string]int{}, map[string]int{}
	scanner := bufio.NewScanner(r.Body)
	scanner.Buffer(make([]byte, lineBytesMax), lineBytesMax)
	for scanner.Scan() {
		report.Lines++
		found := line.FindStringSubmatch(scanner.Text())
		if found == nil {
			report.Unread++
			continue
		}
		count(clients, found[1])
		count(paths, found[3])
		report.Statuses[found[4]]++
		if size, err := strconv.ParseInt(found[5], 10, 64); err == nil {
			report.Bytes += size
		}
		if agent := useragent.Parse(found[6]); agent.Bot {
			report.Robots++
		} else if agent.Name != "" {
			count(browsers, agent.Name)
		}
	}
	if err := scanner.Err(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	report.Clients = len(clients)
	report.Paths, report.Browsers = most(paths), most(browsers)
	fmt.Println(report.Lines, "lines read,", report.Unread, "of another format")
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(report)
}

func count(counts map[string]int, name string) {
	if _, known := counts[name]; known || len(counts) < namesMax {
		counts[name]++
	}
}

func most(counts map[string]int) []Count {
	all := make([]Count, 0, len(counts))
	for name, calls := range counts {
		all = append(all, Count{name, calls})
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Calls > all[j].Calls || all[i].Calls == all[j].Calls && all[i].Name < all[j].Name
	})
	return all[:min(shown, len(all))]
}
