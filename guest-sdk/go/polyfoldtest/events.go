//go:build !wasm

package polyfoldtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"polyfold"
	"polyfold/cbor"
)

// Event makes an event of schema version 1 in the stream test/1, its payload from JSON text. The harness gives it the next
// sequence and version unless these are set.
func Event(eventType, payload string) polyfold.Event {
	return EventOf(eventType, valueOf(payload))
}

// EventOf makes an event as Event does, its payload from any value that has a form in CBOR.
func EventOf(eventType string, payload any) polyfold.Event {
	raw, err := cbor.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("the payload of %s: %v", eventType, err))
	}
	return polyfold.Event{Stream: "test/1", Type: eventType, SchemaVersion: 1, CBOR: raw}
}

// Events reads events as the command line exports them: a JSON object a line with stream, type, schema_version and data.
func Events(lines string) []polyfold.Event {
	var events []polyfold.Event
	for scanner := bufio.NewScanner(strings.NewReader(lines)); scanner.Scan(); {
		if strings.TrimSpace(scanner.Text()) == "" {
			continue
		}
		line := struct {
			Stream, Type  string
			SchemaVersion uint32 `json:"schema_version"`
			Data          json.RawMessage
		}{SchemaVersion: 1, Data: json.RawMessage("null")}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			panic(fmt.Sprintf("%v in %s", err, scanner.Text()))
		}
		event := Event(line.Type, string(line.Data))
		event.Stream, event.SchemaVersion = line.Stream, line.SchemaVersion
		events = append(events, event)
	}
	return events
}

// JSON writes a payload or a value as JSON text, to compare it: object keys in the order of their letters.
func JSON(raw []byte) string {
	var value any
	if err := cbor.Unmarshal(raw, &value); err != nil {
		panic(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// valueOf reads JSON as a host does: a number without point and exponent is an integer, any other a float.
func valueOf(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		panic(fmt.Sprintf("%v in %s", err, text))
	}
	return withNumbers(value)
}

func withNumbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		return number(value)
	case []any:
		for i := range value {
			value[i] = withNumbers(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = withNumbers(value[key])
		}
	}
	return value
}

func number(text json.Number) any {
	if strings.ContainsAny(string(text), ".eE") {
		float, err := text.Float64()
		if err != nil {
			panic(err)
		}
		return float
	}
	whole, _ := new(big.Int).SetString(string(text), 10)
	switch {
	case whole.IsInt64():
		return whole.Int64()
	case whole.IsUint64():
		return whole.Uint64()
	}
	panic(fmt.Sprintf("the integer %s does not fit 64 bits", text))
}
