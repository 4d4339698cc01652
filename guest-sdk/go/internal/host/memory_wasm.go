package host

// Memory that the host writes into, and how it looks: the canonical ABI, by hand.

import (
	"runtime/debug"
	"unsafe"
)

// collectAbove is the heap above which the collector runs at all. A call has an instance of its own, whose memory ends
// with it, so collecting before that only costs time; but a call that makes a lot of garbage must not run into the
// instance's limit, 256 MiB by default, of which the host's data takes a part.
const collectAbove = 128 << 20

func init() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(collectAbove)
}

// The host may allocate while it passes data in. Nothing may leave the component then, and Go's allocator does: its
// collector reads clocks. So this memory comes from below the allocator, which never looks at it, and never moves.
//
//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

// chunkSize is what is asked for at once; sbrk rounds up to pages of 64 KiB anyway.
const chunkSize = 1 << 20

var chunk struct {
	at, end uintptr
}

//go:nosplit
func allocate(size, align uintptr) uintptr {
	at := (chunk.at + align - 1) &^ (align - 1)
	if at+size > chunk.end || chunk.end == 0 {
		asked := size + align
		if asked < chunkSize {
			asked = chunkSize
		}
		at = uintptr(sbrk(asked))
		if at == 0 {
			// Out of memory; as with any allocator in this ABI, that ends the call.
			*(*uint8)(unsafe.Pointer(^uintptr(0) >> 32)) = 0
		}
		chunk.end = at + asked
		at = (at + align - 1) &^ (align - 1)
	}
	chunk.at = at + size
	return at
}

//go:wasmexport cabi_realloc
//go:nosplit
func cabiRealloc(old, oldSize, align, size uint32) uint32 {
	at := allocate(uintptr(size), uintptr(align))
	// Hosts only allocate; what grows is moved all the same, as the ABI says.
	for i := uintptr(0); i < uintptr(min(oldSize, size)); i++ {
		*(*byte)(unsafe.Pointer(at + i)) = *(*byte)(unsafe.Pointer(uintptr(old) + i))
	}
	return uint32(at)
}

// Strings and lists as they lie in memory: Go's own have 64-bit lengths.
type span struct{ at, length uint32 }

// passed keeps what an import is given in Go's heap: what a stack holds moves with it when it grows, and an address as a
// number would not follow.
var passed struct {
	texts    [2]string
	pointers [2]unsafe.Pointer
	keys     []string
	changes  []Change
}

func spanOf[T any](place int, items []T) span {
	passed.pointers[place] = unsafe.Pointer(unsafe.SliceData(items))
	return span{uint32(uintptr(passed.pointers[place])), uint32(len(items))}
}

func spanOfText(place int, text string) span {
	passed.texts[place] = text
	return addressOf(text)
}

// addressOf says where text lies that is in the heap already.
func addressOf(text string) span {
	return span{uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))), uint32(len(text))}
}

func itemsOf[T any](s span) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(uintptr(s.at))), int(s.length))
}

func (s span) text() string {
	return unsafe.String((*byte)(unsafe.Pointer(uintptr(s.at))), int(s.length))
}

// optional is an option of a string or a list.
type optional struct {
	isSome uint32
	span   span
}

func (o *optional) textOrNil() *string {
	if o.isSome&0xff == 0 {
		return nil
	}
	text := string(append([]byte(nil), o.span.text()...))
	return &text
}

func optionalText(text *string) optional {
	if text == nil {
		return optional{}
	}
	return optional{1, spanOfText(1, *text)}
}
