//! Plugins from registries that lie, stall and never end, and from one that keeps to the rules.
//!
//! A real registry is tried by tests/oci/run.sh.

mod hostile;

use crate::guests;
use crate::program::Environment;
use crate::provenance::ACME;
use hostile::Registry;

/// Of all endless answers together: the kernel takes some MiB of each before anybody reads, and a minute would take gigabytes.
const ENDLESS_BYTES_MAX: u64 = 64 << 20;

fn install(environment: &Environment, registry: &Registry, name: &str, flags: &[&str]) -> String {
    let reference = format!("oci://{}/{name}", registry.address);
    let mut arguments = vec!["plugin", "install", &reference];
    arguments.extend(flags);
    environment.run(&arguments).replace(&registry.address.to_string(), "REGISTRY")
}

#[test]
fn a_plugin_is_got_from_a_registry_and_pinned() {
    let environment = Environment::new();
    let registry = Registry::start(guests::bytes("event-counts"));
    let digest = registry.manifest_digest("good");
    let check = |name: &str, flags: &[&str], expected: &str| {
        let said = install(&environment, &registry, name, flags);
        assert!(said.contains(expected) && said.contains("exit 0"), "{name} {flags:?}: {said}");
    };
    check("good:1.0", &[], "event-counts@0.1.0 installed");
    check(&format!("good@{digest}"), &[], "was installed before");
    check(&format!("good:1.0@{digest}"), &[], "was installed before");
    let plugins = environment.ok(&["--json", "plugin", "list"]);
    let plugin: serde_json::Value = serde_json::from_str(&plugins).unwrap();
    let reference = format!("oci://{}/good:1.0", registry.address);
    assert_eq!((&plugin["source"]["reference"], &plugin["source"]["digest"]), (&reference.into(), &digest.into()));
    let inspected = environment.ok(&["plugin", "inspect", "event-counts"]);
    assert!(inspected.contains(&format!("source     oci://{}/good:1.0, manifest sha256:", registry.address)));

    // The signature that the registry keeps counts as one that lies beside a file.
    environment.ok(&["trust", "add", "acme", ACME.public]);
    check("signed:1.0", &["--require-signature"], "signed by acme");
    // Blobs may lie elsewhere; the login stays behind.
    let password = environment.file("password", "secret\n");
    let login = ["--username", "ada", "--password-file", password.to_str().unwrap()];
    check("basic:1", &login, "event-counts@0.1.0");
    check("token:1", &login, "event-counts@0.1.0");
    check("blob-elsewhere:1", &login, "event-counts@0.1.0");
    assert_eq!(registry.logins_elsewhere(), 0);
}

#[test]
fn what_a_registry_gets_wrong_is_named_and_nothing_is_installed() {
    let environment = Environment::new();
    let registry = Registry::start(guests::bytes("event-counts"));
    let other = format!("good@sha256:{}", "0".repeat(64));
    let password = environment.file("password", "wrong");
    let login = ["--username", "ada", "--password-file", password.to_str().unwrap()];
    let soon = ["--timeout", "0.3"];
    let nothing: [&str; 0] = [];
    for (name, flags, code, expected) in [
        (other.as_str(), &nothing[..], 4, "the manifest that the registry sends is not the one that was named"),
        ("lying-header", &nothing, 4, "the manifest that the registry sends is not the one that was named"),
        ("other-blob", &nothing, 4, "the layer that the registry sends is not the one that was named"),
        ("short-blob", &nothing, 4, "the layer that the registry sends is not the one that was named"),
        ("long-blob", &nothing, 4, "sends more for the layer than the"),
        ("endless-blob", &nothing, 4, "sends more for the layer than the"),
        ("endless-manifest", &nothing, 4, "sends more for the manifest than the 1048576 bytes"),
        ("large-layer", &nothing, 4, "its layer has 67108865 bytes, and a plugin 67108864 at most"),
        ("wrong-config", &nothing, 4, "its config is of type \"application/vnd.oci.image.config.v1+json\", not"),
        ("wrong-layer", &nothing, 4, "its layer is of type \"application/vnd.oci.image.layer.v1.tar\", not"),
        ("two-layers", &nothing, 4, "it has 2 layers, and a plugin is one"),
        ("no-layers", &nothing, 4, "it has 0 layers"),
        ("odd-digest", &nothing, 4, "its layer has the digest \"sha256:../../../other\", which is no sha256"),
        ("index", &nothing, 4, "it is an index of several images"),
        ("says-index", &nothing, 4, "it says of itself that it is \"application/vnd.oci.image.index.v1+json\", not"),
        ("old-manifest", &nothing, 4, "its manifest is of version 1, and 2 is known"),
        ("no-json", &nothing, 4, "is no plugin: expected"),
        ("long-signature", &nothing, 4, "its signature is larger than the 8192 bytes"),
        ("no-plugin", &nothing, 4, "it is not a WebAssembly component"),
        (
            "manifest-elsewhere",
            &nothing,
            4,
            "sends elsewhere for manifests/latest, which is followed for content alone",
        ),
        ("blob-in-the-clear", &nothing, 4, "sends elsewhere too often, or to where no TLS is"),
        ("blob-in-circles", &nothing, 4, "sends elsewhere too often, or to where no TLS is"),
        ("token-in-the-clear", &login, 4, "sends for a token to http://registry.example/token, which is not reached"),
        ("endless-token", &login, 4, "sends more for the token than the 65536 bytes"),
        ("basic", &nothing, 4, "wants to know who asks"),
        ("basic", &login, 4, "does not take that name and password"),
        ("token", &login, 4, "does not take that name and password"),
        ("missing", &nothing, 3, "the registry has no such repository or tag"),
        ("missing-blob", &nothing, 4, "the registry does not have its content"),
        ("broken", &nothing, 1, "REGISTRY answers 500 Internal Server Error: \\u{1b}[2Jout of order"),
        ("endless-error", &nothing, 1, "REGISTRY answers 500 Internal Server Error"),
        ("silent", &soon, 1, "does not answer, or not in time; --timeout"),
        ("silent-blob", &soon, 1, "does not answer, or not in time; --timeout"),
        ("cut-off", &nothing, 1, "REGISTRY cannot be reached"),
    ] {
        let said = install(&environment, &registry, name, flags);
        assert!(said.contains(expected) && said.ends_with(&format!("exit {code}\n")), "{name}: {said}");
    }
    assert!(registry.endless_bytes() < ENDLESS_BYTES_MAX, "{} bytes were taken", registry.endless_bytes());
    assert_eq!(environment.ok(&["plugin", "list", "--quiet"]), "");
}

#[test]
fn what_is_typed_wrong_is_said_before_anything_is_sent() {
    let environment = Environment::new();
    let registry = Registry::start(Vec::new());
    let check = |arguments: &[&str], code: u8, expected: &str| {
        let said = environment.run(arguments);
        assert!(said.contains(expected) && said.ends_with(&format!("exit {code}\n")), "{arguments:?}: {said}");
    };
    check(&["plugin", "install", "oci://acme/on-time"], 2, "it names no host");
    check(&["plugin", "install", "oci://localhost:99999/a"], 2, "its port is none from 1 to 65535");
    check(&["plugin", "install", "oci://[::1]:5000/a"], 2, "an IPv6 address is no host");
    check(&["plugin", "install", "oci://localhost:1/a", "--watch"], 2, "--watch is for a file");
    let reference = format!("oci://{}/good", registry.address);
    check(&["plugin", "install", &reference, "--username", "ada"], 2, "--username needs --password-file");
    check(&["plugin", "install", &reference, "--username", "ada", "--password-file", "none"], 1, "none: No such file");
    let endless = ["--username", "ada", "--password-file", "/dev/zero"];
    check(
        &[&["plugin", "install", &reference][..], &endless].concat(),
        2,
        "/dev/zero holds no password: it is no regular",
    );
    environment.file("plugin.wasm", guests::bytes("event-counts"));
    let pinned = format!("{reference}@sha256:{}", "0".repeat(64));
    check(&["plugin", "push", "plugin.wasm", &pinned], 2, "a digest is what a push makes");
    environment.file("garbage.wasm", "nothing");
    check(&["plugin", "push", "garbage.wasm", &reference], 4, "it is not a WebAssembly component");
    assert_eq!(registry.requests(), 0);
    // Nobody listens at a port that was just given back.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("oci://{}/a", listener.local_addr().unwrap())
    };
    check(&["plugin", "install", &gone], 1, "cannot be reached: ");
}
