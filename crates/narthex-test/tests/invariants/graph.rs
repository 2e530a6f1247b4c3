//! Who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The workspace as `cargo metadata` shows it.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Sorted by folder.
    pub(crate) members: Vec<Member>,
    /// What each crate brings when it is built with default features on this machine: normal and
    /// build dependencies, not those of its tests.
    tree: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// What it names as normal and build dependencies, optional ones and other systems included.
    dependencies: BTreeSet<String>,
    published: bool,
    missing: Vec<&'static str>,
}

impl Workspace {
    pub(crate) fn read() -> Self {
        Self::from_metadata(&metadata())
    }

    fn from_metadata(metadata: &Value) -> Self {
        let packages = list(&metadata["packages"]);
        let names: BTreeMap<_, _> =
            packages.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let ids: Vec<_> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let members = packages.iter().filter(|package| ids.contains(&text(&package["id"])));
        let mut members: Vec<_> = members.map(member).collect();
        members.sort_by(|a, b| a.folder.cmp(&b.folder));

        let mut tree: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let brought = list(&node["deps"]).iter().filter(|dependency| {
                list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev")
            });
            let brought = brought.map(|dependency| names[text(&dependency["pkg"])].to_owned());
            tree.entry(names[text(&node["id"])].to_owned()).or_default().extend(brought);
        }
        Self { root: text(&metadata["workspace_root"]).into(), members, tree }
    }

    /// Members that use another member which `allowed` does not grant them.
    pub(crate) fn against_direction(&self, allowed: &[(&str, &[&str])]) -> Vec<String> {
        let is_member = |name: &&String| self.members.iter().any(|member| member.name == **name);
        let uses = self.members.iter().flat_map(|member| {
            member.dependencies.iter().filter(is_member).map(move |used| (&member.name, used))
        });
        let granted = |name: &str, used: &str| {
            allowed.iter().any(|(user, granted)| *user == name && granted.contains(&used))
        };
        let wrong = uses.filter(|(name, used)| !granted(name, used));
        wrong.map(|(name, used)| format!("`{name}` may not use `{used}`")).collect()
    }

    /// Everything that the member `name` names as a dependency.
    pub(crate) fn dependencies_of(&self, name: &str) -> Vec<String> {
        let member = self.members.iter().find(|member| member.name == name);
        let member = member.unwrap_or_else(|| panic!("`{name}` is no member"));
        member.dependencies.iter().map(|used| format!("`{name}` may not use `{used}`")).collect()
    }

    /// Crates of the families `forbidden` in the trees of `names`.
    ///
    /// A family is all crates whose names begin with that word: `tokio` is `tokio-util` too.
    pub(crate) fn in_tree(&self, names: &[&str], forbidden: &[&str]) -> Vec<String> {
        let violations = names.iter().flat_map(|name| {
            let paths = self.paths(name).into_values();
            let wrong = paths.filter_map(|path| {
                let last = path.last()?;
                let word = forbidden.iter().find(|word| is_of(word, last))?;
                Some(format!("`{name}` may not bring `{word}`: {}", path.join(" -> ")))
            });
            wrong.collect::<Vec<_>>()
        });
        violations.collect()
    }

    /// All crates that `name` brings, itself aside.
    pub(crate) fn tree(&self, name: &str) -> BTreeSet<String> {
        self.paths(name).into_keys().filter(|found| found != name).collect()
    }

    /// Published members that lack what a registry shows of a crate.
    pub(crate) fn without_metadata(&self) -> Vec<String> {
        let published = self.members.iter().filter(|member| member.published);
        let lacking = published.flat_map(|member| {
            member.missing.iter().map(move |missing| format!("`{}` has no {missing}", member.name))
        });
        lacking.collect()
    }

    /// A shortest path from `name` to each crate it brings.
    fn paths(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        assert!(self.tree.contains_key(name), "`{name}` is not in the dependency graph");
        let mut paths = BTreeMap::from([(name.to_owned(), vec![name.to_owned()])]);
        let mut found = std::collections::VecDeque::from([name.to_owned()]);
        while let Some(user) = found.pop_front() {
            for used in self.tree.get(&user).into_iter().flatten() {
                if !paths.contains_key(used) {
                    let mut path = paths[&user].clone();
                    path.push(used.clone());
                    paths.insert(used.clone(), path);
                    found.push_back(used.clone());
                }
            }
        }
        paths
    }
}

fn member(package: &Value) -> Member {
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let folder = manifest.parent().expect("a manifest lies in a folder").to_owned();
    let dependencies = list(&package["dependencies"]).iter();
    let dependencies = dependencies.filter(|dependency| dependency["kind"] != "dev");
    let missing = ["description", "license", "readme", "repository", "rust_version"];
    Member {
        name: text(&package["name"]).to_owned(),
        dependencies: dependencies.map(|used| text(&used["name"]).to_owned()).collect(),
        // `null` is any registry, an empty list is none.
        published: package["publish"].is_null(),
        missing: missing.into_iter().filter(|key| package[key].is_null()).collect(),
        folder,
    }
}

fn is_of(family: &str, name: &str) -> bool {
    let rest = name.strip_prefix(family);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// Asks cargo, for this machine's own platform, so that nothing has to be downloaded beyond what
/// a build of the tests needs.
fn metadata() -> Value {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.expect("cargo names its host");
    let flags = ["--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    serde_json::from_str(&cargo(&[&["metadata"], &flags[..]].concat())).expect("metadata is JSON")
}

fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cargo {}`: {error}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

#[cfg(test)]
mod tests {
    use super::{Member, Workspace};
    use serde_json::json;

    fn workspace(tree: &[(&str, &[&str])]) -> Workspace {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let members = tree.iter().filter(|(name, _)| name.starts_with("narthex"));
        let member = |&(name, used): &(&str, &[&str])| Member {
            name: name.to_owned(),
            dependencies: set(used),
            ..Member::default()
        };
        Workspace {
            members: members.map(member).collect(),
            tree: tree.iter().map(|&(name, used)| (name.to_owned(), set(used))).collect(),
            ..Workspace::default()
        }
    }

    #[test]
    fn a_dependency_in_the_wrong_direction_is_caught() {
        let workspace = workspace(&[
            ("narthex-model", &["narthex-core"]),
            ("narthex-core", &["narthex-model", "itoa"]),
            ("itoa", &[]),
        ]);
        assert_eq!(
            workspace.against_direction(&[("narthex-core", &["narthex-model"])]),
            ["`narthex-model` may not use `narthex-core`"]
        );
        assert_eq!(
            workspace.dependencies_of("narthex-model"),
            ["`narthex-model` may not use `narthex-core`"]
        );
    }

    #[test]
    fn a_forbidden_crate_is_caught_at_any_depth_with_the_way_to_it() {
        let workspace = workspace(&[
            ("narthex-core", &["harmless"]),
            ("harmless", &["tokio-util", "httpdate"]),
            ("tokio-util", &[]),
            ("httpdate", &[]),
        ]);
        assert_eq!(
            workspace.in_tree(&["narthex-core"], &["tokio", "http"]),
            ["`narthex-core` may not bring `tokio`: narthex-core -> harmless -> tokio-util"]
        );
    }

    #[test]
    fn a_tree_counts_every_crate_once() {
        let workspace = workspace(&[
            ("narthex-core", &["a", "b"]),
            ("a", &["c"]),
            ("b", &["c"]),
            ("c", &[]),
            ("unrelated", &["a"]),
        ]);
        let tree: Vec<_> = workspace.tree("narthex-core").into_iter().collect();
        assert_eq!(tree, ["a", "b", "c"]);
    }

    #[test]
    fn cargo_metadata_is_read_without_what_tests_use() {
        let dependency = |name: &str, kind: Option<&str>| json!({"name": name, "kind": kind});
        let edge = |id: &str, kind: Option<&str>| json!({"pkg": id, "dep_kinds": [{"kind": kind}]});
        let workspace = Workspace::from_metadata(&json!({
            "packages": [
                {"id": "1", "name": "narthex-core", "manifest_path": "/w/crates/core/Cargo.toml",
                 "dependencies": [dependency("itoa", None), dependency("tokio", Some("dev")),
                                  dependency("cc", Some("build"))],
                 "description": "D.", "license": "MIT", "readme": null, "repository": "r",
                 "rust_version": "1.88", "publish": null},
                {"id": "2", "name": "itoa"}, {"id": "3", "name": "tokio"}, {"id": "4", "name": "cc"},
            ],
            "workspace_members": ["1"],
            "workspace_root": "/w",
            "resolve": {"nodes": [
                {"id": "1", "deps": [edge("2", None), edge("3", Some("dev")), edge("4", Some("build"))]},
                {"id": "2", "deps": []}, {"id": "3", "deps": []}, {"id": "4", "deps": []},
            ]},
        }));
        let tree: Vec<_> = workspace.tree("narthex-core").into_iter().collect();
        assert_eq!(tree, ["cc", "itoa"]);
        assert_eq!(workspace.dependencies_of("narthex-core").len(), 2);
        assert_eq!(workspace.without_metadata(), ["`narthex-core` has no readme"]);
        assert_eq!(workspace.members[0].folder.to_str(), Some("/w/crates/core"));
    }
}
