/** What the host gives, as the canonical ABI has it: a text, a list is a pointer and a length, an answer lies in memory. */

// @ts-ignore: decorator
@external("polyfold:plugin/state@0.1.0", "get")
export declare function stateGet(key: usize, length: usize, answer: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/state@0.1.0", "get-many")
export declare function stateGetMany(keys: usize, count: usize, answer: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/state@0.1.0", "put")
export declare function statePut(key: usize, length: usize, value: usize, valueLength: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/state@0.1.0", "delete")
export declare function stateDelete(key: usize, length: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/state@0.1.0", "write")
export declare function stateWrite(changes: usize, count: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/state@0.1.0", "scan")
export declare function stateScan(
  prefix: usize,
  length: usize,
  hasAfter: i32,
  after: usize,
  afterLength: usize,
  limit: u32,
  answer: usize,
): void;

// @ts-ignore: decorator
@external("polyfold:plugin/context@0.1.0", "envelope-of")
export declare function contextEnvelopeOf(sequence: u64, answer: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/context@0.1.0", "parameters")
export declare function contextParameters(answer: usize): void;

// @ts-ignore: decorator
@external("polyfold:plugin/logging@0.1.0", "log")
export declare function loggingLog(level: i32, message: usize, length: usize): void;
