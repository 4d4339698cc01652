package cbor

// The bytes that are read: heads, strings, what is passed over.

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"
)

type reader struct {
	data  []byte
	at    int
	depth int
}

func (r *reader) finish() error {
	if r.at != len(r.data) {
		return fmt.Errorf("%d bytes stand behind the value", len(r.data)-r.at)
	}
	return nil
}

func (r *reader) peek() (byte, error) {
	if r.at >= len(r.data) {
		return 0, errEnd
	}
	return r.data[r.at], nil
}

// head reads an item's first byte and the number that belongs to it; for floats these are the bits.
func (r *reader) head() (initial byte, number uint64, err error) {
	if r.at >= len(r.data) {
		return 0, 0, errEnd
	}
	initial = r.data[r.at]
	r.at++
	if initial&31 < 24 {
		return initial, uint64(initial & 31), nil
	}
	number, err = r.long(initial & 31)
	return initial, number, err
}

func (r *reader) long(size byte) (uint64, error) {
	if size > 27 {
		return 0, errIndefinite
	}
	length := 1 << (size - 24)
	if len(r.data)-r.at < length {
		return 0, errEnd
	}
	rest := r.data[r.at:]
	r.at += length
	switch size {
	case 24:
		return uint64(rest[0]), nil
	case 25:
		return uint64(binary.BigEndian.Uint16(rest)), nil
	case 26:
		return uint64(binary.BigEndian.Uint32(rest)), nil
	default:
		return binary.BigEndian.Uint64(rest), nil
	}
}

func (r *reader) take(length uint64) ([]byte, error) {
	if length > uint64(len(r.data)-r.at) {
		return nil, errEnd
	}
	end := r.at + int(length)
	taken := r.data[r.at:end:end]
	r.at = end
	return taken, nil
}

// text takes text of this length, which shares the memory of what is read: nobody writes there.
func (r *reader) text(length uint64) (string, error) {
	bytes, err := r.take(length)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(bytes) {
		return "", errText
	}
	return unsafe.String(unsafe.SliceData(bytes), len(bytes)), nil
}

func (r *reader) enter() error {
	if r.depth == DepthMax {
		return errDepth
	}
	r.depth++
	return nil
}

func (r *reader) isNull() bool {
	return r.at < len(r.data) && (r.data[r.at] == initialNull || r.data[r.at] == initialUndef)
}

// open reads the head of an array or a map, whose items take a byte each at least.
func (r *reader) open(major byte, what string) (int, error) {
	initial, length, err := r.head()
	if err != nil {
		return 0, err
	}
	if initial&0xe0 != major {
		return 0, mismatch(initial, what)
	}
	if length > uint64(len(r.data)-r.at) {
		return 0, errEnd
	}
	return int(length), r.enter()
}

// skipShort passes a small integer or a short text over, if that is what comes. It is small enough to be inlined.
func (r *reader) skipShort() bool {
	if r.at >= len(r.data) {
		return false
	}
	initial := r.data[r.at]
	end := r.at + 1
	if initial&0xdf >= 24 {
		if end += int(initial) - majorText; initial < majorText || initial >= majorText+24 || end > len(r.data) {
			return false
		}
	}
	r.at = end
	return true
}

// skip passes one item over. It calls nothing for what is short: most of a payload is passed over, and calls are what
// costs in Go's WebAssembly.
func (r *reader) skip() error {
	data, at := r.data, r.at
	for left := uint64(1); left > 0; left-- {
		if at >= len(data) {
			return errEnd
		}
		initial := data[at]
		at++
		number := uint64(initial & 31)
		if number > 23 {
			r.at = at
			var err error
			if number, err = r.long(initial & 31); err != nil {
				return err
			}
			at = r.at
		}
		switch initial & 0xe0 {
		case majorBytes, majorText:
			if number > uint64(len(data)-at) {
				return errEnd
			}
			at += int(number)
		case majorArray, majorMap:
			// Each item takes a byte at least, and more of them than bytes would overflow the count.
			if number > uint64(len(data)-at) {
				return errEnd
			}
			left += number
			if initial&0xe0 == majorMap {
				left += number
			}
		case majorTag:
			left++
		}
	}
	r.at = at
	return nil
}

// raw takes the bytes of one item.
func (r *reader) raw() (Raw, error) {
	start := r.at
	if err := r.skip(); err != nil {
		return nil, err
	}
	return Raw(r.data[start:r.at:r.at]), nil
}

func float(initial byte, bits uint64) (float64, bool) {
	switch initial {
	case initialHalf:
		return fromHalf(uint16(bits)), true
	case initialSingle:
		return float64(math.Float32frombits(uint32(bits))), true
	case initialDouble:
		return math.Float64frombits(bits), true
	}
	return 0, false
}

// fromHalf converts half precision; exact.
func fromHalf(bits uint16) float64 {
	sign := 1.0
	if bits&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(bits>>10&31), float64(bits&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// any reads an item as a value of its own kind.
func (r *reader) any() (any, error) {
	initial, number, err := r.head()
	if err != nil {
		return nil, err
	}
	switch initial & 0xe0 {
	case majorUnsigned:
		if number <= math.MaxInt64 {
			return int64(number), nil
		}
		return number, nil
	case majorNegative:
		if number <= math.MaxInt64 {
			return -1 - int64(number), nil
		}
		return Negative(number), nil
	case majorBytes:
		return anyOf(r.take(number))
	case majorText:
		return anyOf(r.text(number))
	case majorArray:
		return r.anyArray(number)
	case majorMap:
		return r.anyMap(number)
	case majorTag:
		if err := r.enter(); err != nil {
			return nil, err
		}
		value, err := r.any()
		r.depth--
		return Tag{number, value}, err
	}
	return simple(initial, number)
}

func anyOf[T any](value T, err error) (any, error) { return value, err }

func simple(initial byte, number uint64) (any, error) {
	switch initial {
	case initialFalse:
		return false, nil
	case initialTrue:
		return true, nil
	case initialNull:
		return nil, nil
	}
	if value, ok := float(initial, number); ok {
		return value, nil
	}
	if initial == 0xf8 && number < 32 {
		return nil, fmt.Errorf("simple value %d stands in two bytes", number)
	}
	return Simple(number), nil
}

func (r *reader) anyArray(length uint64) (any, error) {
	if length > uint64(len(r.data)-r.at) {
		return nil, errEnd
	}
	if err := r.enter(); err != nil {
		return nil, err
	}
	items := make([]any, length)
	for i := range items {
		var err error
		if items[i], err = r.any(); err != nil {
			return nil, err
		}
	}
	r.depth--
	return items, nil
}

func (r *reader) anyMap(length uint64) (any, error) {
	if length > uint64(len(r.data)-r.at) {
		return nil, errEnd
	}
	if err := r.enter(); err != nil {
		return nil, err
	}
	pairs := make(Pairs, length)
	isPlain := true
	for i := range pairs {
		key, err := r.any()
		if err != nil {
			return nil, err
		}
		value, err := r.any()
		if err != nil {
			return nil, err
		}
		pairs[i] = Pair{key, value}
		_, isText := key.(string)
		isPlain = isPlain && isText
	}
	r.depth--
	if !isPlain {
		return pairs, nil
	}
	object := make(map[string]any, length)
	for _, pair := range pairs {
		object[pair.Key.(string)] = pair.Value
	}
	if len(object) != len(pairs) {
		return nil, fmt.Errorf("a key stands twice in one map")
	}
	return object, nil
}

// mismatch says what stands where something else is wanted.
func mismatch(initial byte, wanted string) error {
	return fmt.Errorf("found %s, expected %s", kindOf(initial), wanted)
}

func kindOf(initial byte) string {
	switch initial & 0xe0 {
	case majorUnsigned, majorNegative:
		return "an integer"
	case majorBytes:
		return "a byte string"
	case majorText:
		return "text"
	case majorArray:
		return "an array"
	case majorMap:
		return "a map"
	case majorTag:
		return "a tag"
	}
	switch initial {
	case initialFalse, initialTrue:
		return "true or false"
	case initialNull, initialUndef:
		return "null"
	case initialHalf, initialSingle, initialDouble:
		return "a float"
	}
	return "a simple value"
}
