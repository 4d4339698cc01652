package host

// What the component's exports are made of: events as they lie in memory, answers as the host reads them.

import (
	"fmt"
	"runtime/debug"
	"strings"
	"unsafe"
)

// Event is an event as the host lays it down; its text and bytes stay where they are until the call ends.
type Event struct {
	Sequence      uint64
	stream        span
	Version       uint64
	eventType     span
	SchemaVersion uint32
	_             uint32
	RecordedAt    uint64
	isJSON        uint32
	payload       span
	_             uint32
}

// Events returns the list that an export is given.
func Events(at, length uint32) []Event { return itemsOf[Event](span{at, length}) }

// Stream returns the stream's name.
func (e *Event) Stream() string { return e.stream.text() }

// Type returns the event's type.
func (e *Event) Type() string { return e.eventType.text() }

// CBOR returns the payload, nil if it is JSON.
func (e *Event) CBOR() []byte {
	if e.isJSON&0xff != 0 {
		return nil
	}
	bytes := itemsOf[byte](e.payload)
	return bytes[:len(bytes):len(bytes)]
}

// JSON returns the payload, nothing if it is CBOR.
func (e *Event) JSON() string {
	if e.isJSON&0xff == 0 {
		return ""
	}
	return e.payload.text()
}

// Answer is memory for what an export returns, filled from its beginning.
type Answer struct{ words []uint32 }

var answers []*Answer

// NewAnswer starts an answer, which stays where it is until the call ends.
func NewAnswer() *Answer {
	answer := &Answer{}
	answers = append(answers, answer)
	return answer
}

// Word adds a number of 32 bits.
func (a *Answer) Word(word uint32) *Answer {
	a.words = append(a.words, word)
	return a
}

// Text adds text.
func (a *Answer) Text(text string) *Answer {
	kept := NewAnswer()
	kept.words = make([]uint32, (len(text)+4)/4)
	at := unsafe.Pointer(unsafe.SliceData(kept.words))
	copy(unsafe.Slice((*byte)(at), len(text)), text)
	return a.Word(uint32(uintptr(at))).Word(uint32(len(text)))
}

// List adds a list whose items another answer holds.
func (a *Answer) List(items *Answer, length int) *Answer {
	return a.Word(items.Address()).Word(uint32(length))
}

// Texts adds a list of texts.
func (a *Answer) Texts(texts []string) *Answer {
	items := NewAnswer()
	for _, text := range texts {
		items.Text(text)
	}
	return a.List(items, len(texts))
}

// Address says where the answer lies; nothing may be added behind that.
func (a *Answer) Address() uint32 {
	if len(a.words) == 0 {
		return 4
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(a.words))))
}

// Guard runs a call and turns a panic into an error, whose text has the stack from where it came, in the author's files.
func Guard(call func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, authorStack(string(debug.Stack())))
		}
	}()
	return call()
}

// authorStack leaves out the frames of the runtime and of the kit on both sides of the author's.
func authorStack(stack string) string {
	lines := strings.Split(strings.TrimRight(stack, "\n"), "\n")
	// The first line names the goroutine; then each frame has two, its function and its file.
	var frames []string
	for i := 1; i+1 < len(lines); i += 2 {
		function := lines[i]
		if strings.HasPrefix(function, "polyfold/projection.export") || strings.HasPrefix(function, "polyfold/upcaster.export") {
			break
		}
		isRuntime := strings.HasPrefix(function, "panic(") || strings.HasPrefix(function, "runtime.") ||
			strings.HasPrefix(function, "runtime/debug.") || strings.HasPrefix(function, "polyfold/internal/host.")
		if !isRuntime {
			frames = append(frames, function+"\n"+place(lines[i+1]))
		}
	}
	return strings.Join(frames, "\n")
}

// place shortens "\t/path/file.go:12 +0x1f" to what helps.
func place(line string) string {
	line, _, _ = strings.Cut(line, " +0x")
	return line
}
