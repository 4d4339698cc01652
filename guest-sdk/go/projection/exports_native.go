//go:build !wasm

package projection

// Export makes a projection the one that this component is. Call it in main's init: nothing calls main itself.
func Export(projection Projection) {}
