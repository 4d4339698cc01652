package host

// The component's imports. What the host hands back is copied, and its memory used again by the next import: a scan of a
// large state must not need as much memory as that.

import "unsafe"

//go:wasmimport polyfold:plugin/state@0.1.0 get
func importGet(key, keyLength uint32, result unsafe.Pointer)

//go:wasmimport polyfold:plugin/state@0.1.0 get-many
func importGetMany(keys, length uint32, result unsafe.Pointer)

//go:wasmimport polyfold:plugin/state@0.1.0 put
func importPut(key, keyLength, value, valueLength uint32)

//go:wasmimport polyfold:plugin/state@0.1.0 delete
func importDelete(key, keyLength uint32)

//go:wasmimport polyfold:plugin/state@0.1.0 write
func importWrite(changes, length uint32)

//go:wasmimport polyfold:plugin/state@0.1.0 scan
func importScan(prefix, prefixLength, isAfter, after, afterLength, limit uint32, result unsafe.Pointer)

//go:wasmimport polyfold:plugin/context@0.1.0 envelope-of
func importEnvelopeOf(sequence uint64, result unsafe.Pointer)

//go:wasmimport polyfold:plugin/context@0.1.0 parameters
func importParameters(result unsafe.Pointer)

//go:wasmimport polyfold:plugin/logging@0.1.0 log
func importLog(level, message, length uint32)

// The memory of a result is used again behind it, unless it came in a chunk of its own.
type mark struct{ at, end uintptr }

func here() mark { return mark{chunk.at, chunk.end} }

func (m mark) rewind() {
	if chunk.end == m.end {
		chunk.at = m.at
	}
}

func textOf(bytes []byte) string { return unsafe.String(unsafe.SliceData(bytes), len(bytes)) }

func copied(bytes []byte) []byte { return append(make([]byte, 0, len(bytes)), bytes...) }

// Get returns the value of a key.
func Get(key string) ([]byte, bool) {
	before := here()
	var result optional
	k := spanOfText(0, key)
	importGet(k.at, k.length, unsafe.Pointer(&result))
	if result.isSome&0xff == 0 {
		return nil, false
	}
	value := copied(itemsOf[byte](result.span))
	before.rewind()
	return value, true
}

// GetMany returns the values of many keys; nil for those without an entry.
func GetMany(keys []string) [][]byte {
	before := here()
	passed.keys = keys
	spans := make([]span, len(keys))
	for i, key := range keys {
		spans[i] = addressOf(key)
	}
	var result span
	given := spanOf(0, spans)
	importGetMany(given.at, given.length, unsafe.Pointer(&result))
	found := itemsOf[optional](result)
	size := 0
	for i := range found {
		size += int(found[i].span.length)
	}
	// One block for all values, because an allocation for each costs more than copying it.
	block := make([]byte, 0, size)
	values := make([][]byte, len(found))
	for i := range found {
		if found[i].isSome&0xff != 0 {
			start := len(block)
			block = append(block, itemsOf[byte](found[i].span)...)
			values[i] = block[start:len(block):len(block)]
		}
	}
	before.rewind()
	return values
}

// Put sets the value of a key.
func Put(key string, value []byte) {
	k, v := spanOfText(0, key), spanOf(0, value)
	importPut(k.at, k.length, v.at, v.length)
}

// Delete removes a key.
func Delete(key string) {
	k := spanOfText(0, key)
	importDelete(k.at, k.length)
}

// Write makes many changes, in their order.
func Write(changes []Change) {
	type change struct {
		key   span
		value optional
	}
	passed.changes = changes
	lowered := make([]change, len(changes))
	for i := range changes {
		lowered[i].key = addressOf(changes[i].Key)
		if !changes[i].IsDelete {
			lowered[i].value = optional{1, addressOf(textOf(changes[i].Value))}
		}
	}
	given := spanOf(0, lowered)
	importWrite(given.at, given.length)
}

// Scan returns a page of entries.
func Scan(prefix string, after *string, limit uint32) []Entry {
	before := here()
	p, a := spanOfText(0, prefix), optionalText(after)
	var result span
	importScan(p.at, p.length, a.isSome, a.span.at, a.span.length, limit, unsafe.Pointer(&result))
	type entry struct{ key, value span }
	found := itemsOf[entry](result)
	entries := make([]Entry, len(found))
	for i := range found {
		entries[i] = Entry{string(copied(itemsOf[byte](found[i].key))), copied(itemsOf[byte](found[i].value))}
	}
	before.rewind()
	return entries
}

// EnvelopeOf returns the rest of an event of this call.
func EnvelopeOf(sequence uint64) *Envelope {
	before := here()
	type pair struct{ name, value span }
	var result struct {
		isSome                            uint64
		id                                span
		isOccurred                        uint64
		occurredAt                        int64
		actor, causationID, correlationID optional
		metadata, tags                    span
		_                                 uint32
	}
	importEnvelopeOf(sequence, unsafe.Pointer(&result))
	if result.isSome&0xff == 0 {
		return nil
	}
	envelope := &Envelope{
		ID:            string(copied(itemsOf[byte](result.id))),
		Actor:         result.actor.textOrNil(),
		CausationID:   result.causationID.textOrNil(),
		CorrelationID: result.correlationID.textOrNil(),
		Metadata:      map[string]string{},
		Tags:          []string{},
	}
	if result.isOccurred&0xff != 0 {
		envelope.OccurredAt = &result.occurredAt
	}
	for _, each := range itemsOf[pair](result.metadata) {
		envelope.Metadata[string(copied(itemsOf[byte](each.name)))] = string(copied(itemsOf[byte](each.value)))
	}
	for _, each := range itemsOf[span](result.tags) {
		envelope.Tags = append(envelope.Tags, string(copied(itemsOf[byte](each))))
	}
	before.rewind()
	return envelope
}

// Parameters returns the projection's parameters.
func Parameters() string {
	before := here()
	var result span
	importParameters(unsafe.Pointer(&result))
	text := string(copied(itemsOf[byte](result)))
	before.rewind()
	return text
}

// Log writes a message.
func Log(level Level, message string) {
	m := spanOfText(0, message)
	importLog(uint32(level), m.at, m.length)
}
