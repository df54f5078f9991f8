// Package crossfade reads on the side that Crossfade says, falls back to the old one, and tells how it went.
package crossfade

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

type operation struct {
	Cutover     string    `json:"cutover"`
	Side        string    `json:"side"`
	Slice       *int      `json:"slice"`
	DurationsMs []float64 `json:"durationsMs"`
	Errors      int       `json:"errors"`
}

var (
	mutex    sync.Mutex
	recorded []operation
)

func post(path string, body, answer any, timeout time.Duration) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest("POST", os.Getenv("CROSSFADE_API")+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("authorization", "Bearer "+os.Getenv("CROSSFADE_TOKEN"))
	request.Header.Set("content-type", "application/json")
	response, err := (&http.Client{Timeout: timeout}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// Read calls one of both, measures it, and calls primary when shadow has failed.
func Read[T any](cutover, key string, primary, shadow func() (T, error)) (T, error) {
	var flag struct {
		Variant  string
		Metadata struct{ Slice *int }
	}
	context := map[string]any{"context": map[string]string{"targetingKey": key}}
	// Without an answer the primary serves. Of a cutover that is completed, say "shadow" here.
	if post("/ofrep/v1/evaluate/flags/"+cutover, context, &flag, 200*time.Millisecond) != nil {
		flag.Variant = "primary"
	}
	chosen := primary
	if flag.Variant == "shadow" {
		chosen = shadow
	}
	started := time.Now()
	value, err := chosen()
	one := operation{cutover, flag.Variant, flag.Metadata.Slice, []float64{float64(time.Since(started)) / 1e6}, 0}
	if err != nil {
		one.Errors = 1
	}
	mutex.Lock()
	recorded = append(recorded, one)
	mutex.Unlock()
	if err != nil && flag.Variant == "shadow" {
		return primary()
	}
	return value, err
}

// Flush sends what was recorded. Call it every ten seconds and at the end.
func Flush() error {
	mutex.Lock()
	operations := recorded
	recorded = nil
	mutex.Unlock()
	if len(operations) == 0 {
		return nil
	}
	var counted any
	return post("/v1/outcomes", map[string]any{"operations": operations}, &counted, 2*time.Second)
}
