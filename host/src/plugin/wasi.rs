//! WASI 0.2 in a form that gives the same answers everywhere.
//!
//! Runtimes of languages import it whether the plugin needs it or not. What matters is small and our own: clocks,
//! random numbers, exit, standard streams, environment. Files and sockets come from wasmtime-wasi with nothing
//! opened and nothing allowed; their context is made on first use, which is never in most plugins.

use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sockets, sync};
use wasmtime_wasi::p2::pipe::ClosedInputStream;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, OutputStream, Pollable, StreamResult, subscribe,
};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, async_trait};

use std::sync::{Arc, Mutex, PoisonError};

mod lists;

use super::Output;
use super::host::{Host, Stop};
use lists::{HasNames, HasPolls, names, polls};

/// The interfaces a plugin may import, as `wasi:…` without the version; any 0.2.x will do.
pub(super) const INTERFACES: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Adds [`INTERFACES`].
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    type Own = HasSelf<Wasi>;
    fn own(host: &mut Host) -> &mut Wasi {
        &mut host.called().wasi
    }
    clocks::wall_clock::add_to_linker::<_, Own>(linker, own)?;
    clocks::monotonic_clock::add_to_linker::<_, Own>(linker, own)?;
    random::random::add_to_linker::<_, Own>(linker, own)?;
    random::insecure::add_to_linker::<_, Own>(linker, own)?;
    random::insecure_seed::add_to_linker::<_, Own>(linker, own)?;
    cli::exit::add_to_linker::<_, Own>(linker, own)?;
    cli::environment::add_to_linker::<_, Own>(linker, own)?;
    cli::stdin::add_to_linker::<_, Own>(linker, own)?;
    cli::stdout::add_to_linker::<_, Own>(linker, own)?;
    cli::stderr::add_to_linker::<_, Own>(linker, own)?;
    cli::terminal_input::add_to_linker::<_, Own>(linker, own)?;
    cli::terminal_output::add_to_linker::<_, Own>(linker, own)?;
    cli::terminal_stdin::add_to_linker::<_, Own>(linker, own)?;
    cli::terminal_stdout::add_to_linker::<_, Own>(linker, own)?;
    cli::terminal_stderr::add_to_linker::<_, Own>(linker, own)?;

    wasmtime_wasi::p2::bindings::io::error::add_to_linker::<_, HasTable>(linker, |host| &mut host.called().wasi.table)?;
    sync::io::poll::add_to_linker::<_, HasPolls>(linker, polls)?;
    sync::io::streams::add_to_linker::<_, HasTable>(linker, streams)?;

    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, |host| host.called().filesystem())?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, |host| host.called().filesystem())?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, |host| host.called().sockets())?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, |host| host.called().sockets())?;
    sockets::ip_name_lookup::add_to_linker::<_, HasNames>(linker, names)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(linker, |host| host.called().sockets())?;
    sync::sockets::tcp::add_to_linker::<_, WasiSockets>(linker, |host| host.called().sockets())?;
    sync::sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(linker, |host| host.called().sockets())?;
    sync::sockets::udp::add_to_linker::<_, WasiSockets>(linker, |host| host.called().sockets())
}

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

fn streams(host: &mut Host) -> &mut ResourceTable {
    let host = host.called();
    host.bill.add(host.bill.prices.stream);
    host.wasi.has_streamed = true;
    &mut host.wasi.table
}

/// What one instance has of WASI. Cheap to make: a projection that never asks pays nothing.
pub(super) struct Wasi {
    table: ResourceTable,
    /// The monotonic clock, in nanoseconds.
    now: u64,
    random: SplitMix64,
    /// How many random bytes are not paid yet.
    random_bytes: u64,
    /// Whether a stream was used since what was written was last counted.
    has_streamed: bool,
    stdout: Capture,
    stderr: Capture,
    /// Files and sockets: there are none, but they can be asked for.
    context: Option<Box<WasiCtx>>,
}

/// 1,024 streams, pollables and the like at once: a plugin that has more leaks them.
const RESOURCES_MAX: usize = 1_024;

/// 64 KiB of random bytes in one call; libraries seed themselves with 16 to 256.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// A microsecond for each reading of the monotonic clock, so that a loop that waits for time to pass ends.
const TICK_NS: u64 = 1_000;

/// Any fixed number would do. It is part of the ABI: changing it changes what plugins compute.
const SEED: u64 = 0x706f_6c79_666f_6c64;

impl Wasi {
    pub(super) fn new(output_bytes_max: usize) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            table,
            now: 0,
            random: SplitMix64(SEED),
            random_bytes: 0,
            has_streamed: false,
            stdout: Capture::new(output_bytes_max),
            stderr: Capture::new(output_bytes_max),
            context: None,
        }
    }

    /// Moves what was captured into a call's output.
    pub(super) fn take_output(&mut self, output: &mut Output) {
        (output.stdout, output.stdout_dropped) = self.stdout.take();
        (output.stderr, output.stderr_dropped) = self.stderr.take();
    }

    /// How many random bytes were made since the last time, and bytes written to standard output and error, kept or not.
    pub(super) fn take_bytes(&mut self) -> u64 {
        let mut bytes = std::mem::take(&mut self.random_bytes);
        if std::mem::take(&mut self.has_streamed) {
            bytes += self.stdout.take_written() + self.stderr.take_written();
        }
        bytes
    }

    fn random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_BYTES_MAX {
            let message = format!("{length} random bytes wanted at once, at most {RANDOM_BYTES_MAX} are allowed");
            return Err(Stop::Limit(message).into());
        }
        self.random_bytes += length;
        Ok(self.random.bytes(length as usize))
    }

    fn ready(&mut self) -> wasmtime::Result<Resource<DynPollable>> {
        let ready = self.table.push(Ready)?;
        subscribe(&mut self.table, ready)
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let context = self.wasi.context.get_or_insert_with(|| {
            let mut nothing = WasiCtx::builder();
            // Nothing may be opened, looked up or sent, and no call may block this thread.
            nothing.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
            Box::new(nothing.build())
        });
        WasiCtxView { ctx: context, table: &mut self.wasi.table }
    }
}

/// Stands still at 1970-01-01T00:00:00Z.
///
/// Not at the time of the batch's first event: where batches are cut would show in it, and must not matter.
impl clocks::wall_clock::Host for Wasi {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime { seconds: 0, nanoseconds: 0 })
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        Ok(clocks::wall_clock::Datetime { seconds: 0, nanoseconds: TICK_NS as u32 })
    }
}

/// Counts its readings. Waiting moves it on and takes no time.
impl clocks::monotonic_clock::Host for Wasi {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.now = self.now.saturating_add(TICK_NS);
        Ok(self.now)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(TICK_NS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.now = self.now.max(when);
        self.ready()
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.now = self.now.saturating_add(duration);
        self.ready()
    }
}

/// A pollable that is ready at once.
struct Ready;

#[async_trait]
impl Pollable for Ready {
    async fn ready(&mut self) {}
}

impl random::random::Host for Wasi {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next())
    }
}

impl random::insecure::Host for Wasi {
    fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(length)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next())
    }
}

impl random::insecure_seed::Host for Wasi {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        // The same however often and whenever it is asked for.
        let mut random = SplitMix64(SEED);
        Ok((random.next(), random.next()))
    }
}

/// Steele, Lea and Flood's generator (OOPSLA 2014): ten lines that no library's next release can change.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.next_multiple_of(8));
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

impl cli::exit::Host for Wasi {
    fn exit(&mut self, status: Result<(), ()>) -> wasmtime::Result<()> {
        let status = if status.is_ok() { "success" } else { "failure" };
        Err(Stop::Misuse(format!("it called exit with {status}, a plugin must return")).into())
    }

    fn exit_with_code(&mut self, code: u8) -> wasmtime::Result<()> {
        Err(Stop::Misuse(format!("it called exit with code {code}, a plugin must return")).into())
    }
}

impl cli::environment::Host for Wasi {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl cli::stdin::Host for Wasi {
    fn get_stdin(&mut self) -> wasmtime::Result<Resource<DynInputStream>> {
        let empty: DynInputStream = Box::new(ClosedInputStream);
        Ok(self.table.push(empty)?)
    }
}

impl cli::stdout::Host for Wasi {
    fn get_stdout(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.stdout.share());
        Ok(self.table.push(stream)?)
    }
}

impl cli::stderr::Host for Wasi {
    fn get_stderr(&mut self) -> wasmtime::Result<Resource<DynOutputStream>> {
        let stream: DynOutputStream = Box::new(self.stderr.share());
        Ok(self.table.push(stream)?)
    }
}

impl cli::terminal_input::Host for Wasi {}

impl cli::terminal_input::HostTerminalInput for Wasi {
    fn drop(&mut self, terminal: Resource<cli::terminal_input::TerminalInput>) -> wasmtime::Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl cli::terminal_output::Host for Wasi {}

impl cli::terminal_output::HostTerminalOutput for Wasi {
    fn drop(&mut self, terminal: Resource<cli::terminal_output::TerminalOutput>) -> wasmtime::Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl cli::terminal_stdin::Host for Wasi {
    fn get_terminal_stdin(&mut self) -> wasmtime::Result<Option<Resource<cli::terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for Wasi {
    fn get_terminal_stdout(&mut self) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for Wasi {
    fn get_terminal_stderr(&mut self) -> wasmtime::Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

/// A standard stream's bytes, up to a maximum; the rest is counted.
struct Capture(Arc<Mutex<Captured>>);

struct Captured {
    bytes: Vec<u8>,
    bytes_max: usize,
    dropped: u64,
    /// How many bytes came since they were last counted.
    written: u64,
}

/// As much as a stream takes in one write.
const WRITE_BYTES_MAX: usize = 64 << 10;

impl Capture {
    fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Captured { bytes: Vec::new(), bytes_max, dropped: 0, written: 0 })))
    }

    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn add(&self, bytes: &[u8]) {
        let mut captured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = captured.bytes_max - captured.bytes.len();
        let kept = &bytes[..bytes.len().min(room)];
        captured.bytes.extend_from_slice(kept);
        captured.dropped += (bytes.len() - kept.len()) as u64;
        captured.written += bytes.len() as u64;
    }

    fn take_written(&self) -> u64 {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).written)
    }

    fn take(&self) -> (Vec<u8>, u64) {
        let mut captured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut captured.bytes), captured.dropped)
    }
}

#[async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use clocks::monotonic_clock::Host as _;
    use random::insecure_seed::Host as _;
    use random::random::Host as _;

    use super::*;

    #[test]
    fn the_generator_gives_these_numbers() {
        // From the reference implementation, seed 1234567.
        let mut random = SplitMix64(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected.map(|_| random.next()), expected);
    }

    #[test]
    fn every_instance_gets_the_same_random_bytes() {
        let bytes = |length| Wasi::new(0).get_random_bytes(length).unwrap();
        assert_eq!(bytes(13), bytes(16)[..13]);
        assert_eq!(bytes(8), Wasi::new(0).get_random_u64().unwrap().to_le_bytes());
        assert!(Wasi::new(0).get_random_bytes(RANDOM_BYTES_MAX + 1).is_err());
        let mut wasi = Wasi::new(0);
        assert_eq!(wasi.insecure_seed().unwrap(), wasi.insecure_seed().unwrap());
    }

    #[test]
    fn time_passes_only_by_asking_and_waiting() {
        let now = clocks::monotonic_clock::Host::now;
        let mut wasi = Wasi::new(0);
        let mut readings = vec![now(&mut wasi).unwrap(), now(&mut wasi).unwrap()];
        wasi.subscribe_duration(20_000_000_000).unwrap();
        readings.push(now(&mut wasi).unwrap());
        wasi.subscribe_instant(5).unwrap();
        readings.push(now(&mut wasi).unwrap());
        wasi.subscribe_duration(u64::MAX).unwrap();
        readings.push(now(&mut wasi).unwrap());
        assert_eq!(readings, [1_000, 2_000, 20_000_003_000, 20_000_004_000, u64::MAX]);
        let wall = clocks::wall_clock::Host::now(&mut wasi).unwrap();
        assert_eq!((wall.seconds, wall.nanoseconds), (0, 0));
    }

    #[test]
    fn a_stream_is_captured_up_to_its_maximum() {
        let capture = Capture::new(5);
        capture.share().add(b"abc");
        capture.share().add(b"def");
        assert_eq!(capture.take(), (b"abcde".to_vec(), 1));
    }
}
