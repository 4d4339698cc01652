//! Does what each event's payload says: a byte string that is a program of host calls. For fuzzing.

#[path = "../../fuzz/src/calls/program.rs"]
mod program;

use polyfold_guest::log::{self, Level};
use polyfold_guest::state::Change;
use polyfold_guest::{Error, Event, Manifest, Payload, Projection, context, export_projection, state};
use program::{Op, TRANSCRIPT, Transcript};
use std::io::Write;

struct Guest;

impl Projection for Guest {
    fn describe() -> Manifest {
        Manifest::new("interpreter", "0.1.0", "does what each event says")
    }

    fn apply(events: &[Event]) -> Result<(), Error> {
        let mut transcript = Transcript::default();
        for event in events {
            let Payload::Cbor(payload) = &event.payload else { return Err(event.fault("the payload is not CBOR")) };
            for op in program::parse(content(payload)) {
                run(op, &mut transcript)?;
                transcript.end();
            }
        }
        state::put_bytes(TRANSCRIPT, &transcript.0);
        Ok(())
    }
}

/// What a byte string holds.
fn content(payload: &[u8]) -> &[u8] {
    let head = match payload.first() {
        Some(0x58) => 2,
        Some(0x59) => 3,
        Some(0x5a) => 5,
        _ => 1,
    };
    payload.get(head..).unwrap_or_default()
}

fn run(op: Op, to: &mut Transcript) -> Result<(), Error> {
    match op {
        Op::Get(key) => to.maybe(state::get_bytes(&key).as_deref()),
        Op::GetMany(keys) => state::get_many_bytes(&keys).iter().for_each(|value| to.maybe(value.as_deref())),
        Op::Put(key, value) => state::put_bytes(&key, &value),
        Op::Delete(key) => state::delete(&key),
        Op::Write(changes) => {
            let changes: Vec<_> = changes.into_iter().map(|(key, value)| Change { key, value }).collect();
            state::write(&changes);
        }
        Op::Scan { prefix, after, limit } => {
            for entry in state::scan_bytes(&prefix, after.as_deref(), limit) {
                to.bytes(entry.key.as_bytes());
                to.bytes(&entry.value);
            }
        }
        Op::Envelope(sequence) => envelope(sequence, to),
        Op::Parameters => to.bytes(context::parameters::<serde_json::Value>()?.to_string().as_bytes()),
        Op::Log(level, text) => {
            let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
            log::write(levels[usize::from(level)], &text);
        }
        Op::Stdout(bytes) => {
            std::io::stdout().write_all(&bytes)?;
            std::io::stdout().flush()?;
        }
        Op::Stderr(bytes) => std::io::stderr().write_all(&bytes)?,
        Op::Wasi(what) => wasi(what, to),
        Op::Raw { function, arguments } => raw::call(function, arguments),
        Op::Error(text) => return Err(Error::new(text)),
        Op::Trap => panic!("as the program says"),
        Op::Exit => std::process::exit(0),
    }
    Ok(())
}

fn envelope(sequence: u64, to: &mut Transcript) {
    let Some(found) = context::envelope(sequence) else { return to.number(0) };
    to.bytes(found.id.as_bytes());
    to.maybe(found.occurred_at.map(i64::to_le_bytes).as_ref().map(|bytes| &bytes[..]));
    for text in [found.actor, found.causation_id, found.correlation_id] {
        to.maybe(text.as_deref().map(str::as_bytes));
    }
    for (name, value) in found.metadata {
        to.bytes(name.as_bytes());
        to.bytes(value.as_bytes());
    }
    found.tags.iter().for_each(|tag| to.bytes(tag.as_bytes()));
}

/// Nothing of the machine may be seen, so what is seen goes into the transcript as the same numbers everywhere.
fn wasi(what: u8, to: &mut Transcript) {
    to.number(match what % 7 {
        0 => std::env::args().count() as u64,
        1 => std::env::vars().count() as u64,
        2 => std::fs::read("/etc/passwd").is_ok().into(),
        3 => std::net::TcpStream::connect("127.0.0.1:1").is_ok().into(),
        4 => (std::time::SystemTime::now() == std::time::UNIX_EPOCH).into(),
        5 => {
            let start = std::time::Instant::now();
            std::thread::sleep(std::time::Duration::from_secs(what.into()));
            (start.elapsed().as_secs() >= what.into()).into()
        }
        _ => std::io::read_to_string(std::io::stdin()).map_or(u64::MAX, |text| text.len() as u64),
    });
}

/// The imports as they are beneath all bindings: numbers.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "whatever it does, it does it to this instance alone")]
mod raw {
    macro_rules! import {
        ($module:literal, $name:literal, $function:ident($($argument:ident: $type:ty),*)) => {
            #[link(wasm_import_module = $module)]
            unsafe extern "C" {
                #[link_name = $name]
                fn $function($($argument: $type),*);
            }
        };
    }
    import!("polyfold:plugin/state@0.1.0", "get", get(key: u32, length: u32, answer: u32));
    import!("polyfold:plugin/state@0.1.0", "get-many", get_many(keys: u32, count: u32, answer: u32));
    import!("polyfold:plugin/state@0.1.0", "put", put(key: u32, length: u32, value: u32, bytes: u32));
    import!("polyfold:plugin/state@0.1.0", "delete", delete(key: u32, length: u32));
    import!("polyfold:plugin/state@0.1.0", "write", write(changes: u32, count: u32));
    import!("polyfold:plugin/state@0.1.0", "scan",
        scan(prefix: u32, length: u32, is_after: u32, after: u32, bytes: u32, limit: u32, answer: u32));
    import!("polyfold:plugin/context@0.1.0", "envelope-of", envelope_of(sequence: u64, answer: u32));
    import!("polyfold:plugin/context@0.1.0", "parameters", parameters(answer: u32));
    import!("polyfold:plugin/logging@0.1.0", "log", log(level: u32, text: u32, length: u32));

    pub(crate) fn call(function: u8, [a, b, c, d, e, f, g]: [u32; 7]) {
        unsafe {
            match function % 9 {
                0 => get(a, b, c),
                1 => get_many(a, b, c),
                2 => put(a, b, c, d),
                3 => delete(a, b),
                4 => write(a, b),
                5 => scan(a, b, c, d, e, f, g),
                6 => envelope_of(a.into(), b),
                7 => parameters(a),
                _ => log(a, b, c),
            }
        }
    }
}

/// There is nobody to call natively.
#[cfg(not(target_arch = "wasm32"))]
mod raw {
    pub(crate) fn call(_function: u8, _arguments: [u32; 7]) {}
}

export_projection!(Guest);
