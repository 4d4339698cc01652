//! Which generations stay, and which files with them.

use std::time::Duration;

use super::*;

fn numbers(path: &Path) -> Vec<u64> {
    list_backup(path).unwrap().iter().map(|generation| generation.generation).collect()
}

#[test]
fn generations_go_by_count_and_by_age_and_the_newest_stays() {
    let mut test = Test::new();
    let path = test.path("backup");
    let engine = test.engine();
    let mut made = |now, keep| {
        test.append(&engine, 150);
        let made = backup(&engine, &path, Shape::Directory, keep, time(now)).unwrap();
        sound(&path);
        (made.dropped, numbers(&path))
    };
    let (all, hour) = (Keep::default(), Some(Duration::from_secs(3600)));
    for number in 1..=4 {
        assert_eq!(made(number * 1000, all).1.len() as i64, number);
    }
    assert_eq!(made(5000, Keep { last: Some(3), within: None }), (vec![1, 2], vec![3, 4, 5]));
    // 3 is of 3000, 4 of 4000: an hour before 7000 is 3400.
    assert_eq!(made(7000, Keep { last: None, within: hour }), (vec![3], vec![4, 5, 6]));
    assert_eq!(made(90_000, Keep { last: Some(2), within: hour }), (vec![4, 5], vec![6, 7]));
    assert_eq!(made(900_000, Keep { last: None, within: hour }), (vec![6, 7], vec![8]));
    // A clock that was set back keeps what it takes for the future.
    assert_eq!(made(1, Keep { last: None, within: hour }), (vec![], vec![8, 9]));
    let newest = list_backup(&path).unwrap().pop().unwrap();
    assert_eq!(newest.log.sequence, 1350);
    let dir = test.path("restored");
    restore(&path, &dir, Until::End, None).unwrap();
    assert_eq!(Engine::open(&dir, &Options::default()).unwrap().log().head(), engine.log().head());
}
