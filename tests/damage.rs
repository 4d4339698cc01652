//! Damaged files of a data directory: what the program says of each, and what it makes anew.

use expect_test::expect;

use crate::host::flights;
use crate::program::Environment;

/// Damages a file of a data directory with a projection, and says what a command makes of it.
fn damaged(file: impl Fn(&Environment) -> std::path::PathBuf, damage: impl Fn(&mut Vec<u8>), command: &str) -> String {
    let environment = Environment::new();
    environment.install(&["event-counts"]);
    let events = environment.file("flights.ndjson", flights(400).as_bytes());
    environment.ok(&["import", events.to_str().unwrap()]);
    environment.ok(&["projection", "create", "event-counts"]);
    let path = file(&environment);
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    environment.run(&command.split(' ').collect::<Vec<_>>())
}

#[test]
fn damage_is_named_with_the_way_out() {
    let in_data = |name: &'static str| move |environment: &Environment| environment.dir.path().join(name);
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let noise = |bytes: &mut Vec<u8>| bytes.fill(7);
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.windows(7).rposition(|window| window == b"tailnum").unwrap();
        bytes[middle] ^= 1;
    };
    expect![[r#"
        ! error: DATA/catalogue.json: EOF while parsing a list at line 28 column 20; restore the file from a copy, or move it away and install plugins and projections anew
        exit 5
    "#]].assert_eq(&damaged(in_data("catalogue.json"), cut, "projection list"));
    expect![[r#"
        ! error: "DATA/log.redb" is damaged: File truncated below stored layout: file_len=71680, layout_len=143360; restore the log from a copy
        exit 5
    "#]].assert_eq(&damaged(in_data("log.redb"), cut, "log status"));
    expect![[r#"
        ! error: "DATA/log.redb" is not a polyfold log: it is a file of another kind; name another file, or move this one away to start a new log
        exit 5
    "#]].assert_eq(&damaged(in_data("log.redb"), noise, "log status"));
    expect![[r#"
        ! error: block 229 is damaged: its checksum differs; restore the log from a copy
        exit 5
    "#]]
    .assert_eq(&damaged(in_data("log.redb"), flip, "log verify"));
    let plugin = |environment: &Environment| {
        std::fs::read_dir(environment.dir.path().join("plugins")).unwrap().next().unwrap().unwrap().path()
    };
    expect![[r#"
        ! error: DATA/plugins/DIGEST holds other bytes than its name says (their digest is DIGEST): delete that file and install the plugin again
        exit 5
    "#]].assert_eq(&damaged(plugin, cut, "projection get event-counts type/flight.departed"));
}

#[test]
fn tampered_compiled_code_is_made_again() {
    let environment = Environment::new();
    let cache = environment.dir.path().join("cache");
    std::fs::remove_file(&cache).unwrap();
    environment.install(&["event-counts"]);
    environment.ok(&["append", "order/1", "order.placed"]);
    environment.ok(&["projection", "create", "event-counts"]);
    let codes = || std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let code = codes().find(|path| path.extension().is_some_and(|extension| extension == "code")).unwrap();
    let whole = std::fs::read(&code).unwrap();
    let mut tampered = whole.clone();
    *tampered.last_mut().unwrap() ^= 1;
    std::fs::write(&code, &tampered).unwrap();
    let got = environment.ok(&["projection", "get", "event-counts", "type/order.placed"]);
    assert_eq!(got, "{\"count\":1,\"first_sequence\":1,\"last_sequence\":1}\n");
    assert_ne!(std::fs::read(&code).unwrap(), tampered, "it is replaced, not only passed over");
}
