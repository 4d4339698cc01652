;; A projection that calls the host and does nothing else. What its apply does is put in where `body` stands, and what
;; it needs for that where `imports` stands. Answers of the host go to memory from 1 MiB on, over each other.
(module
  (; imports ;)
  (memory (export "memory") 160)
  (global $next (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func $describe (export "polyfold:plugin/projection@0.1.0#describe") (result i32) (i32.const 1024))
  (func $apply (export "polyfold:plugin/projection@0.1.0#apply") (param $events i32) (param $count i32) (result i32)
    (local $left i32)
    (; body ;)
    (i32.const 2048))
  ;; The manifest: name, version, no description, all types and categories, CBOR in, bytes out, no views.
  (data (i32.const 1024) "\b0\04\00\00\05\00\00\00" "\b5\04\00\00\05\00\00\00")
  (data (i32.const 1065) "\03")
  (data (i32.const 1200) "calls1.0.0")
  ;; A key, and a value of ten bytes.
  (data (i32.const 1300) "key")
  (data (i32.const 1400) "0123456789")
  ;; Two keys: `key` and `ey`.
  (data (i32.const 1500) "\14\05\00\00\03\00\00\00" "\15\05\00\00\02\00\00\00")
  ;; Two changes: `key` gets four bytes, `ey` is deleted.
  (data (i32.const 1600) "\14\05\00\00\03\00\00\00" "\01\00\00\00\78\05\00\00\04\00\00\00")
  (data (i32.const 1620) "\15\05\00\00\02\00\00\00")
  ;; Where a stream's bytes lie: the value.
  (data (i32.const 1700) "\78\05\00\00\0a\00\00\00")
  ;; An error that says `key`.
  (data (i32.const 2100) "\01\00\00\00\14\05\00\00\03\00\00\00"))
