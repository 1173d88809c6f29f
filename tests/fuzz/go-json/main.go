// What Go's encoding/json, and so Ollama, sees in a request body. Reads batches on stdin: a count, then
// that many documents, each behind its length (all little-endian uint32); answers one line a document.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// As the field keep_alive of Ollama's requests is read.
type keepAlive struct{ time.Duration }

func (k *keepAlive) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch t := v.(type) {
	case float64:
		k.Duration = time.Duration(t * float64(time.Second))
		if t < 0 {
			k.Duration = math.MinInt64
		}
	case string:
		d, err := time.ParseDuration(t)
		if err != nil {
			return err
		}
		k.Duration = d
	default:
		return errors.New("neither number nor string")
	}
	return nil
}

// The fields that the gateway takes, all routes in one; the others as they come.
type request struct {
	Model               string                     `json:"model"`
	Name                string                     `json:"name"`
	From                string                     `json:"from"`
	Source              string                     `json:"source"`
	Destination         string                     `json:"destination"`
	Stream              *bool                      `json:"stream"`
	Raw                 bool                       `json:"raw"`
	Insecure            bool                       `json:"insecure"`
	DebugRenderOnly     bool                       `json:"_debug_render_only"`
	MaxTokens           *int                       `json:"max_tokens"`
	MaxCompletionTokens *int                       `json:"max_completion_tokens"`
	MaxOutputTokens     *int                       `json:"max_output_tokens"`
	N                   *int                       `json:"n"`
	KeepAlive           *keepAlive                 `json:"keep_alive"`
	Template            string                     `json:"template"`
	Options             map[string]json.RawMessage `json:"options"`
	Tools               []json.RawMessage          `json:"tools"`
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func number(p *int) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}

func option(r *request, key string) (string, error) {
	raw, ok := r.Options[key]
	if !ok {
		return "-", nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", err
	}
	switch t := v.(type) {
	case nil:
		return "-", nil
	case float64:
		return fmt.Sprint(int64(t)), nil
	}
	return "", errors.New("option is no number")
}

func serverTool(r *request) bool {
	for _, raw := range r.Tools {
		var tool struct {
			Type any `json:"type"`
		}
		if json.Unmarshal(raw, &tool) == nil && tool.Type != nil &&
			tool.Type != "function" && tool.Type != "custom" && tool.Type != "" {
			return true
		}
	}
	return false
}

func see(doc []byte) (string, error) {
	var r request
	if err := json.NewDecoder(bytes.NewReader(doc)).Decode(&r); err != nil {
		return "", err
	}
	// Ollama routes to its cloud by a lookup that minds case, of the same body.
	var fields map[string]json.RawMessage
	var model string
	if err := json.NewDecoder(bytes.NewReader(doc)).Decode(&fields); err != nil {
		return "", err
	}
	if raw, ok := fields["model"]; ok {
		if err := json.Unmarshal(raw, &model); err != nil {
			return "", err
		}
	}
	if model != r.Model {
		return "two models", nil
	}
	var out strings.Builder
	for _, name := range []string{r.Model, r.Name, r.From, r.Source, r.Destination} {
		fmt.Fprintf(&out, "%s ", hex.EncodeToString([]byte(name)))
	}
	stream := "-"
	if r.Stream != nil {
		stream = flag(*r.Stream)
	}
	fmt.Fprintf(&out, "%s %s%s%s%s", stream, flag(r.Raw), flag(r.Insecure), flag(r.DebugRenderOnly),
		flag(r.Template != ""))
	for _, p := range []*int{r.MaxTokens, r.MaxCompletionTokens, r.MaxOutputTokens, r.N} {
		fmt.Fprintf(&out, " %s", number(p))
	}
	for _, key := range []string{"num_predict", "num_ctx", "num_batch", "num_gpu", "num_thread"} {
		text, err := option(&r, key)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, " %s", text)
	}
	alive := "-"
	if r.KeepAlive != nil {
		alive = fmt.Sprint(r.KeepAlive.Milliseconds())
		if r.KeepAlive.Duration < 0 {
			alive = "-1"
		}
	}
	fmt.Fprintf(&out, "|%s %s", alive, flag(serverTool(&r)))
	return out.String(), nil
}

func readNumber(in io.Reader) (uint32, error) {
	var n uint32
	err := binary.Read(in, binary.LittleEndian, &n)
	return n, err
}

func batch(in io.Reader, out io.Writer) error {
	count, err := readNumber(in)
	if err != nil {
		return err
	}
	docs := make([][]byte, count)
	for i := range docs {
		n, err := readNumber(in)
		if err != nil {
			return err
		}
		docs[i] = make([]byte, n)
		if _, err := io.ReadFull(in, docs[i]); err != nil {
			return err
		}
	}
	for _, doc := range docs {
		line, err := see(doc)
		if err != nil {
			line = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintln(out, line)
	}
	return nil
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for batch(in, out) == nil {
		out.Flush()
	}
}
