//go:build !wasm

package upcaster

// Export makes an upcaster the one that this component is. Call it in main's init: nothing calls main itself.
func Export(upcaster Upcaster) {}
