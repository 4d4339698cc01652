//! Bytes that are no plugin: random ones, plugins cut short, and plugins with some bytes changed.

use polyfold::engine::Phase;

use super::binary::honest;
use super::wat::{HONEST, projection};
use crate::guests;
use crate::host::{Dir, Host};

/// Of each kind; a longer run is a matter of fuzzing.
const ROUNDS: usize = 60;

/// What is installed, if anything is, must still run as any plugin does: to an end.
fn install(host: &Host, bytes: &[u8], what: &str) -> bool {
    match host.install(bytes) {
        Err(error) => {
            assert!(!error.to_string().is_empty(), "{what}");
            false
        }
        Ok(installed) => {
            if installed.plugin.kind == polyfold::engine::PluginKind::Projection {
                let new = crate::host::projection("noise", &installed.plugin.digest);
                host.create(&polyfold::engine::NewProjection { fuel_per_event: Some(10_000_000), ..new }).unwrap();
                let phase = host.settle("noise");
                assert!(!matches!(phase, Phase::Failed { .. }), "{what}: {phase}");
                host.delete("noise").unwrap();
            }
            host.remove_plugin(&installed.plugin.digest).unwrap();
            true
        }
    }
}

fn host(dir: &Dir) -> Host {
    let host = dir.open();
    host.append_all("order/1", &[("order.placed", "{}"), ("order.paid", "{\"bad\":true}")]);
    host
}

/// How a section begins that decides nothing.
const CUSTOM_SECTION: u8 = 0;

#[test]
fn noise_is_refused_or_runs_to_an_end() {
    let seed = fastrand::u64(..);
    println!("SEED {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = Dir::new();
    let host = host(&dir);
    let module = wat::parse_str(projection(&HONEST)).unwrap();
    let sound = [module, honest(), guests::bytes("returns_error")];
    let mut installed = 0;
    for round in 0..ROUNDS {
        let length = random.usize(0..2_000);
        let mut noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        assert!(!install(&host, &noise, "random bytes"), "SEED {seed}, round {round}");
        // Behind the first eight bytes of a component, and of a module.
        for header in [b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0"] {
            let header_bytes = header.len().min(noise.len());
            noise[..header_bytes].copy_from_slice(&header[..header_bytes]);
            install(&host, &noise, "random bytes behind a header");
        }
        let sound = &sound[round % sound.len()];
        let cut = random.usize(0..sound.len());
        let is_installed = install(&host, &sound[..cut], "cut short");
        // What only names things comes last: cut right before such a section, a plugin is whole.
        assert!(!is_installed || sound[cut] == CUSTOM_SECTION, "SEED {seed}, round {round}");
        let mut changed = sound.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..changed.len());
            changed[at] = random.u8(..);
        }
        installed += usize::from(install(&host, &changed, &format!("SEED {seed}, round {round}: changed")));
    }
    println!("{installed} of {ROUNDS} changed plugins were installed");
    assert_eq!(host.installed_plugins(), []);
    assert_eq!(std::fs::read_dir(dir.path().join("plugins")).unwrap().count(), 0, "SEED {seed}");
}
