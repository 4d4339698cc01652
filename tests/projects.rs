//! Projects of those who write plugins: made from a template, built, and run while they are changed.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};

use crate::guests;
use crate::program::Environment;
use crate::served::Serving;

/// What compilers need of the environment.
const PASSED_ON: [&str; 5] = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];

/// An author: an environment with programs and a folder for compilers, and a project in it.
struct Author(Environment);

impl Author {
    fn new() -> Self {
        Self(Environment::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.files.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.0.command(arguments);
        command.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("POLYFOLD_TOOLS", self.path("tools")).env("CARGO_NET_OFFLINE", "true");
        command
    }

    /// All that a command says, and its exit code.
    fn run(&self, command: &str) -> String {
        let arguments: Vec<&str> = command.split(' ').collect();
        let output = self.command(&arguments).stdin(Stdio::null()).output().unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            writeln!(text, "! {line}").unwrap();
        }
        writeln!(text, "exit {}", output.status.code().unwrap()).unwrap();
        without_sizes(&without_seconds(&self.0.scrub(&text)))
    }

    /// A project that is built by a script.
    fn project(&self, kind: &str, more: &str) {
        let head = format!("[plugin]\nname = \"ledger\"\nlanguage = \"sh\"\nkind = \"{kind}\"\n");
        let build = "[build]\ncommands = [[\"sh\", \"build.sh\"]]\noutput = \"made.wasm\"\nwatch = [\"build.sh\"]\n";
        self.write("p/polyfold.toml", &format!("{head}{more}{build}"));
    }

    /// What the script is to make.
    fn makes(&self, plugin: &str) {
        self.write("p/build.sh", &format!("cp '{}' made.wasm\n", guests::path(plugin).display()));
    }

    fn book(&self, id: &str, amount: u64) {
        self.0.ok(&["append", "account/1", "booked", &format!("{{\"amount\":{amount}}}"), "--id", id]);
    }
}

/// How large a guest becomes depends on where it is built: panics name files by their paths.
fn without_sizes(text: &str) -> String {
    let mut words = text.split(' ').peekable();
    let mut without = Vec::new();
    while let Some(word) = words.next() {
        let is_size = words.peek().is_some_and(|unit| unit.starts_with("KiB"));
        without.push(if is_size { "SIZE" } else { word });
    }
    without.join(" ")
}

/// Takes out how long something took.
fn without_seconds(text: &str) -> String {
    let mut rest = text;
    let mut without = String::new();
    while let Some(end) = rest.find(" s)") {
        let begin = rest[..end].rfind('(').unwrap_or(end);
        without += &rest[..begin];
        without += "(SECONDS)";
        rest = &rest[end + 3..];
    }
    without + rest
}

fn check(author: &Author, commands: &[&str], expected: Expect) {
    let said = commands.iter().map(|command| format!("$ {command}\n{}", author.run(command)));
    expected.assert_eq(&said.collect::<String>());
}

#[test]
fn a_new_project_is_whole_and_nothing_is_written_over() {
    let author = Author::new();
    let said = author.run("plugin new my-plugin --language rust");
    assert!(said.starts_with("projection my-plugin in rust, written to my-plugin:\n"), "{said}");
    assert!(said.contains("! next:\n!   cd my-plugin\n!   polyfold plugin build\n"), "{said}");
    for file in ["polyfold.toml", "README.md", ".gitignore", "src/lib.rs", "polyfold/Cargo.toml"] {
        let text = std::fs::read_to_string(author.path("my-plugin").join(file)).unwrap();
        assert!(!text.contains("{{name"), "{file}: {text}");
    }
    assert!(author.path("my-plugin/polyfold/wit/projection.wit").is_file(), "links are followed");
    let said = author.run("plugin new v2 --language rust --upcaster --dir deep/er --json");
    assert!(
        said.starts_with(
            "{\"name\":\"v2\",\"language\":\"rust\",\"kind\":\"upcaster\",\"dir\":\"deep/er\",\"files\":["
        ),
        "{said}"
    );
    check(
        &author,
        &[
            "plugin new my-plugin --language rust",
            "plugin new Mine --language rust",
            "plugin new mine",
            "plugin build",
            "plugin build nowhere",
            "plugin dev nowhere --once",
        ],
        expect![[r#"
            $ plugin new my-plugin --language rust
            ! error: my-plugin is not empty; --dir names another folder
            exit 2
            $ plugin new Mine --language rust
            ! error: invalid value 'Mine' for '<NAME>': "Mine" is not a valid name: it must be 1 to 64 of a-z, 0-9 and -, starting with a letter
            !
            ! For more information, try '--help'.
            exit 2
            $ plugin new mine
            ! error: the following required arguments were not provided:
            !   --language <LANGUAGE>
            !
            ! Usage: polyfold plugin new --language <LANGUAGE> --data-dir <DIR> <NAME>
            !
            ! For more information, try '--help'.
            exit 2
            $ plugin build
            ! error: there is no polyfold.toml in .: go to a project's folder or name it, or make one with `polyfold plugin new NAME --language LANGUAGE` (assemblyscript, c, go, javascript, python, rust, typescript, zig)
            exit 2
            $ plugin build nowhere
            ! error: there is no polyfold.toml in nowhere: go to a project's folder or name it, or make one with `polyfold plugin new NAME --language LANGUAGE` (assemblyscript, c, go, javascript, python, rust, typescript, zig)
            exit 2
            $ plugin dev nowhere --once
            ! error: there is no polyfold.toml in nowhere: go to a project's folder or name it, or make one with `polyfold plugin new NAME --language LANGUAGE` (assemblyscript, c, go, javascript, python, rust, typescript, zig)
            exit 2
        "#]],
    );
    let said = author.run("plugin new mine --language cobol");
    assert!(said.starts_with("! error: no language \"cobol\" is known; known are ") && said.contains("rust"), "{said}");
}

#[test]
fn what_stops_a_build_is_named_with_the_way_out() {
    let author = Author::new();
    author.makes("ledger");
    let mut said = String::new();
    let mut case = |name: &str, kind: &str, more: &str, script: Option<&str>| {
        author.project(kind, more);
        if let Some(script) = script {
            author.write("p/build.sh", script);
        }
        write!(said, "# {name}\n{}", author.run("plugin build p")).unwrap();
    };
    case(
        "two programs are missing",
        "projection",
        "[[needs]]\nprogram = \"no-such-a\"\nget = \"get a at https://a.example\"\n\
         [[needs]]\nprogram = \"sh\"\ncheck = [\"sh\", \"-c\", \"exit 2\"]\nget = \"a better sh\"\n",
        None,
    );
    case("a key is unknown", "projection", "[[needs]]\nprogramme = \"sh\"\n", None);
    case(
        "a toolchain cannot be fetched",
        "projection",
        "[[toolchain]]\nname = \"cc-1\"\ninstall = [[\"sh\", \"-c\", \"echo no network; exit 1\"]]\n",
        None,
    );
    case("the compiler fails", "projection", "", Some("echo to stdout; echo 'build.sh:1: syntax error' >&2; exit 2"));
    case("nothing is made", "projection", "", Some("true"));
    case("no WebAssembly is made", "projection", "", Some("echo text > made.wasm"));
    let refused = format!("cp '{}' made.wasm", guests::path("imports_refused").display());
    case("an import is refused", "projection", "", Some(&refused));
    let ledger = format!("cp '{}' made.wasm", guests::path("ledger").display());
    case("it is of the other kind", "upcaster", "", Some(&ledger));
    case(
        "all is well",
        "projection",
        "[[toolchain]]\nname = \"cc-1\"\ninstall = [[\"sh\", \"-c\", \"echo fetched\"]]\n",
        None,
    );
    case(
        "and is fetched once",
        "projection",
        "[[toolchain]]\nname = \"cc-1\"\ninstall = [[\"sh\", \"-c\", \"echo fetched\"]]\n",
        None,
    );
    expect![[r#"
        # two programs are missing
        ! error: to build this project
        !   no-such-a is needed, and is not there; get a at https://a.example
        !   sh is there but not fit: `sh -c 'exit 2'` ended with exit code 2; a better sh
        exit 7
        # a key is unknown
        ! error: p/polyfold.toml:6: unknown field `programme`, expected one of `program`, `check`, `get`
        exit 2
        # a toolchain cannot be fetched
        ! fetching cc-1, once for all projects, into FILES/tools/cc-1
        ! no network
        ! error: toolchain cc-1 was not made: `sh -c 'echo no network; exit 1'` ended with exit code 1; what it printed stands above. It is fetched over the network: the next build tries again. Without a network, copy FILES/tools/cc-1 to the same path from a machine that has it
        exit 7
        # the compiler fails
        ! running sh build.sh
        ! to stdout
        ! build.sh:1: syntax error
        ! error: `sh build.sh` ended with exit code 2; what it printed stands above
        exit 1
        # nothing is made
        ! running sh build.sh
        ! error: the commands ended well, but did not make p/made.wasm; `output` in polyfold.toml says where it should lie
        exit 1
        # no WebAssembly is made
        ! running sh build.sh
        ! error: p/made.wasm: it is not a WebAssembly component: it does not start with \0asm, as WebAssembly does
        exit 4
        # an import is refused
        ! running sh build.sh
        ! error: p/made.wasm: it imports what this host does not offer: test:outside/network@0.1.0 (not known here: satisfy it inside the component, with `wac plug` or `wasm-tools compose`)
        exit 4
        # it is of the other kind
        ! running sh build.sh
        ! error: p/made.wasm is a plugin of kind projection, but `kind` in polyfold.toml says upcaster
        exit 4
        # all is well
        p/made.wasm: SIZE KiB, projection (polyfold:plugin/projection@0.1.0), imports state, types, 13 interfaces of WASI
        ! fetching cc-1, once for all projects, into FILES/tools/cc-1
        ! fetched
        ! running sh build.sh
        exit 0
        # and is fetched once
        p/made.wasm: SIZE KiB, projection (polyfold:plugin/projection@0.1.0), imports state, types, 13 interfaces of WASI
        ! running sh build.sh
        exit 0
    "#]].assert_eq(&said);
    let made: serde_json::Value =
        serde_json::from_str(author.run("--quiet plugin build p --json").split('\n').next().unwrap()).unwrap();
    assert_eq!(
        (&made["kind"], &made["name"], &made["file"]),
        (&"projection".into(), &"ledger".into(), &"p/made.wasm".into())
    );
}

#[test]
fn dev_shows_what_a_build_changes() {
    let author = Author::new();
    author.project("projection", "");
    author.makes("ledger");
    author.book("a", 5);
    author.book("b", 2_000);
    let once = "plugin dev p --once --quiet";
    let mut said = String::new();
    let mut round = |name: &str| write!(said, "# {name}\n{}", author.run(once)).unwrap();
    round("the first state");
    author.write("p/build.sh", "echo 'build.sh:1: syntax error' >&2; exit 1");
    round("a mistake");
    author.makes("ledger_v2");
    round("the mistake mended");
    round("nothing changed");
    author.book("c", 13);
    author.makes("ledger");
    round("a fault");
    author.makes("ledger_doubling");
    round("the fault mended");
    expect![[r##"
        # the first state
        projection ledger@0.1.0 DIGEST (SECONDS)
        projection ledger: serves, 2 entries at sequence 2
          the first state: 2 added
          + balance/account/1	2005
          + total	2005
        exit 0
        # a mistake
        ! build.sh:1: syntax error
        ! error: `sh build.sh` ended with exit code 1; what it printed stands above
        exit 1
        # the mistake mended
        projection ledger@0.2.0 DIGEST (SECONDS)
        projection ledger: serves, 3 entries at sequence 2
          beside that of ledger@0.1.0: 1 added, 0 removed, 2 changed, 0 unchanged
          ~ balance/account/1
            - 2005
            + 4005
          + count	2
          ~ total
            - 2005
            + 4005
        exit 0
        # nothing changed
        projection ledger@0.2.0 DIGEST, as installed before (SECONDS)
        projection ledger: as before, 3 entries at sequence 2
        exit 0
        # a fault
        projection ledger@0.1.0 DIGEST (SECONDS)
        projection ledger: does not serve, halted at sequence 3 (booked): error: it says: booked, schema version 1: this amount is refused, 2 entries at sequence 2
          sequence 3  account/1  booked v1  error: it says: booked, schema version 1: this amount is refused
            plugin: DIGEST
            fuel:
        ! error: this build does not serve: projection "ledger" is halted at sequence 3 (booked): error: it says: booked, schema version 1: this amount is refused
        exit 1
        # the fault mended
        projection ledger-doubling@0.1.0 DIGEST (SECONDS)
        projection ledger-doubling: serves, 2 entries at sequence 3
          the first state: 2 added
          + balance/account/1	4018
          + total	4018
        exit 0
    "##]].assert_eq(&said);
}

#[test]
fn dev_shows_what_an_upcaster_makes_of_events() {
    let author = Author::new();
    author.0.install(&["event-counts"]);
    author.project("upcaster", "");
    author.makes("renames");
    let mut said = author.run("plugin dev p --once --quiet");
    author.0.ok(&["append", "order/1", "order.placed", "{\"euros\":1}", "--id", "a"]);
    author.0.ok(&["plugin", "remove", "renames"]);
    author.0.ok(&["projection", "create", "counts", "--plugin", "event-counts"]);
    said += &author.run("plugin dev p --once --quiet");
    author.0.ok(&["append", "order/1", "order.placed", "{\"bad\":true}", "--id", "b"]);
    said += &author.run("plugin dev p --once --quiet");
    expect![[r#"
        upcaster renames@0.1.0 DIGEST (SECONDS)
          the log holds no event of its types yet: order.placed
        no projection is built anew
        exit 0
        upcaster renames@0.1.0 DIGEST (SECONDS)
          1  order/1@1
            - order.placed v1  {"euros":1}
            + order.created v2  {"euros":1,"renamed":true}
        projection counts: serves, 2 entries at sequence 1
          beside that of event-counts@0.1.0: 1 added, 1 removed, 0 changed, 1 unchanged
          + type/order.created	{"count":1,"first_sequence":1,"last_sequence":1}
          - type/order.placed	{"count":1,"first_sequence":1,"last_sequence":1}
        exit 0
        upcaster renames@0.1.0 DIGEST, as installed before (SECONDS)
          1  order/1@1
            - order.placed v1  {"euros":1}
            + order.created v2  {"euros":1,"renamed":true}
          2  order/1@2
            - order.placed v1  {"bad":true}
            + event 2 cannot be upcast by renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad
        projection counts: does not serve, halted at sequence 2 (order.placed): error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad, 2 entries at sequence 1
          sequence 2  order/1  order.placed v1  error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad
            plugin: DIGEST
            upcasters: DIGEST
            fuel:
        ! error: this build does not serve: projection "counts" is halted at sequence 2 (order.placed): error: upcaster renames@0.1.0: it says: order.placed, schema version 1: the payload says that it is bad
        exit 1
    "#]].assert_eq(&said);
}

#[test]
fn dev_goes_on_after_each_change() {
    let author = Author::new();
    author.project("projection", "");
    author.makes("ledger");
    author.book("a", 5);
    let serving = Serving::start(&author.0);
    let mut dev = author.command(&["plugin", "dev", "p", "--json", "--projection", "sums"]);
    let mut dev = dev.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut rounds = BufReader::new(dev.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&rounds.next().unwrap().unwrap()).unwrap();
    let first = next();
    assert_eq!((&first["projections"][0]["name"], &first["projections"][0]["serves"]), (&"sums".into(), &true.into()));
    author.write("p/build.sh", "exit 1");
    author.makes("ledger_v2");
    let second = next();
    assert_eq!(
        (&second["plugin"]["version"], &second["projections"][0]["change"]["added"]),
        (&"0.2.0".into(), &1.into())
    );
    author.project("upcaster", "");
    author.project("projection", "# said otherwise\n");
    author.makes("ledger");
    assert_eq!(next()["plugin"]["version"], "0.1.0");
    dev.kill().unwrap();
    dev.wait().unwrap();
    serving.stop();
}

#[test]
fn a_rust_project_is_made_built_and_run() {
    let author = Author::new();
    let project = rust_project(&author);
    let project = project.to_str().unwrap();
    let made = author.run(&format!("plugin build {project}"));
    assert!(
        made.contains("revenue.wasm: ") && made.contains("projection (polyfold:plugin/projection@0.1.0)"),
        "{made}"
    );
    let order = |id, country, euros| {
        let payload = format!("{{\"country\":\"{country}\",\"euros\":{euros}}}");
        author.0.ok(&["append", "order/1", "order.placed", &payload, "--id", id]);
    };
    order("a", "FR", 9.5);
    order("b", "DE", 7.0);
    order("c", "FR", 3.0);
    let dev = format!("plugin dev {project} --once");
    let said = author.run(&dev);
    assert!(said.contains("+ country/FR\t{\"orders\":2,\"euros\":12.5}") && said.ends_with("exit 0\n"), "{said}");
    let source = Path::new(project).join("src/lib.rs");
    let sound = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, format!("{sound}\nfn broken( {{\n")).unwrap();
    let said = author.run(&dev);
    assert!(said.contains("error: ") && said.contains("--> src/lib.rs:") && said.ends_with("exit 1\n"), "{said}");
    assert_eq!(author.0.ok(&["projection", "get", "revenue", "country/DE"]), "{\"orders\":1,\"euros\":7.0}\n");
    std::fs::write(&source, sound.replacen("orders += 1", "orders += 10", 1)).unwrap();
    let said = author.run(&dev);
    assert!(said.contains("- {\"orders\":2,\"euros\":12.5}\n    + {\"orders\":20,\"euros\":12.5}"), "{said}");
}

/// A new project where the one of the run before was, so that what others wrote is compiled once.
fn rust_project(author: &Author) -> PathBuf {
    let projects = guests::folder().join("projects");
    let (project, target) = (projects.join("revenue"), projects.join("target"));
    std::fs::create_dir_all(&target).unwrap();
    let _ = std::fs::remove_dir_all(&project);
    let said = author.run(&format!("plugin new revenue --language rust --dir {}", project.display()));
    assert!(said.ends_with("exit 0\n"), "{said}");
    std::os::unix::fs::symlink(&target, project.join("target")).unwrap();
    project
}
