;; The smallest upcaster that can be asked what it is: as a compiler that knows no components writes it.
(module
  ;; The next line may be an import.
  ;;import
  (memory (export "memory") 1)
  (data (i32.const 0) "tiny0.1.0t")
  ;; The manifest: name, version, description, steps, payload-encoding.
  (data (i32.const 64) "\00\00\00\00\04\00\00\00\04\00\00\00\05\00\00\00\09\00\00\00\01\00\00\00\80\00\00\00\01\00\00\00\00")
  ;; Its step: from version 1 of events of type t.
  (data (i32.const 128) "\09\00\00\00\01\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "polyfold:plugin/upcaster@0.1.0#describe") (result i32) i32.const 64)
  (func (export "polyfold:plugin/upcaster@0.1.0#upcast") (param i32 i32) (result i32) i32.const 512))
