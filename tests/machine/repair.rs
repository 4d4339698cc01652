//! What is derived from the log is made again by itself: states that are damaged or gone. What is not, is named.

use polyfold::engine::{Engine, Error, Options, Phase};
use polyfold::event::Sequence;

use super::origin::{Copy, EVENTS};
use crate::host::refusal;

fn states(copy: &Copy, projection: &str) -> Vec<std::path::PathBuf> {
    let folder = copy.path().join("projections").join(projection);
    copy.files().into_iter().filter(|path| path.starts_with(&folder)).collect()
}

#[test]
fn a_damaged_state_is_set_aside_and_made_anew_with_a_warning() {
    let (whole, copy) = (Copy::new(), Copy::new());
    let digest = whole.open().digest("on-time");
    let damages: [fn(&mut Vec<u8>); 6] = [
        |bytes| bytes.truncate(5_000),
        |bytes| bytes.truncate(100),
        |bytes| bytes.truncate(8_192),
        |bytes| bytes.truncate(bytes.len() / 2),
        Vec::clear,
        |bytes| bytes.fill(7),
    ];
    for damage in damages {
        let path = states(&copy, "on-time").into_iter().find(|path| path.extension().unwrap() == "redb").unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();

        let (said, code) = copy.run(&["projection", "get", "on-time", "carrier/UA"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("WARN") && said.contains("made anew from the log"), "{said}");
        let mut aside = path.clone().into_os_string();
        aside.push(".damaged");
        assert_eq!(std::fs::read(&aside).unwrap(), bytes, "nothing of it is lost");
        let (said, code) = copy.run(&["projection", "verify", "on-time"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(copy.open().digest("on-time"), digest);
    }
    let (said, code) = copy.run(&["projection", "delete", "on-time"]);
    assert!(code == Some(0) && states(&copy, "on-time").is_empty(), "{said}");
}

#[test]
fn a_state_that_is_made_anew_answers_nobody_before_it_is_where_it_was() {
    let copy = Copy::new();
    std::fs::write(&states(&copy, "on-time")[0], [7; 10_000]).unwrap();
    let host = copy.open();
    let error = host.snapshot("on-time").unwrap_err();
    assert!(matches!(error, Error::MadeAnew { until: Sequence(EVENTS), .. }), "{error}");
    assert!(error.to_string().contains("it is no projection's state (it is kept as "), "{error}");
    assert_eq!(host.settle("on-time"), Phase::Live);
    assert_eq!(host.snapshot("on-time").unwrap().visible, Sequence(EVENTS));
    let noted = host.status("on-time").unwrap().readable.last_error.unwrap();
    assert!(noted.contains("it is kept as "), "{noted}");
}

#[test]
fn a_state_that_is_gone_is_made_anew_and_that_is_said() {
    let copy = Copy::new();
    let digest = copy.open().digest("on-time");
    std::fs::remove_file(&states(&copy, "on-time")[0]).unwrap();
    let host = copy.open();
    assert!(refusal(host.snapshot("on-time")).contains("was missing"));
    host.settle("on-time");
    assert_eq!(host.digest("on-time"), digest);
    assert!(host.status("on-time").unwrap().readable.last_error.unwrap().contains("was missing"));
}

#[test]
fn appends_wait_until_a_sync_state_is_made_anew_and_the_one_before_is_made_anew_too() {
    let copy = Copy::new();
    let files = states(&copy, "event-counts");
    assert_eq!(files.len(), 2, "what serves and what served before");
    files.iter().for_each(|path| std::fs::write(path, [7; 10_000]).unwrap());
    let (said, code) = copy.run(&["append", "order/1", "order.placed", "{}"]);
    assert_eq!(code, Some(0), "{said}");
    let host = copy.open();
    host.settle("event-counts");
    assert!(host.entries("event-counts").contains("type/order.placed = {\"count\":1"));
    let status = host.status("event-counts").unwrap();
    assert_eq!(status.previous.unwrap().visible, Sequence(EVENTS + 1));
    assert!(host.verify("event-counts", |_| {}).unwrap().difference.is_none());
    host.rollback("event-counts").unwrap();
    assert!(host.verify("event-counts", |_| {}).unwrap().difference.is_none());
}

#[test]
fn a_lost_catalogue_is_named_and_states_that_nobody_knows_are_a_warning() {
    let copy = Copy::new();
    let catalogue = copy.path().join("catalogue.json");
    let kept = std::fs::read(&catalogue).unwrap();
    std::fs::remove_file(&catalogue).unwrap();
    let (said, code) = copy.run(&["projection", "list"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("catalogue.json is missing, but ") && said.contains("restore the file"), "{said}");
    assert!(said.contains("states of \"event-counts\", \"on-time\""), "{said}");
    // The way out without a copy.
    std::fs::rename(copy.path().join("projections"), copy.beside("projections")).unwrap();
    let (said, code) = copy.run(&["projection", "list"]);
    assert!(code == Some(0) && said.contains("there are no projections"), "{said}");
    std::fs::rename(copy.beside("projections"), copy.path().join("projections")).unwrap();
    std::fs::write(&catalogue, kept).unwrap();
    std::fs::create_dir(copy.path().join("projections/stranger")).unwrap();
    std::fs::copy(&states(&copy, "on-time")[0], copy.path().join("projections/stranger/x.redb")).unwrap();
    let (said, code) = copy.run(&["projection", "list"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stranger: no projection of that name is known"), "{said}");
    assert!(Engine::open(&copy.path(), &Options::default()).is_ok());
}
